"""The tags of a segment as a tree."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from regard_service.domain.results import Span
from regard_service.passages.markup.units import PieceKind


@dataclass(slots=True)
class Tag:
    """A tag, or a text that is kept verbatim, as it stands in a segment.

    Attributes:
        written: its place in the whole source, white space behind it included.
        source: the text of the segment that it stands for; empty for tags.
        index: which piece of its unit it is; `partner` is that of the tag that closes or opens it.
    """

    kind: PieceKind
    written: Span
    source: Span
    index: int
    partner: int | None = None


@dataclass(slots=True, eq=False)
class Node:
    """A tag, a pair of tags with what is between them, or a text that is kept verbatim.

    Attributes:
        source: the text of the segment that it stands around; empty for a tag by itself.
        opening, closing: its tags' places in the whole source; None for one that stands in another segment.
        is_protected: `opening` is the element as a whole, its text included.
        reaches_start, reaches_end: it goes on in the segment before, or in the next.
    """

    source: Span
    opening: Span | None = None
    closing: Span | None = None
    is_protected: bool = False
    reaches_start: bool = False
    reaches_end: bool = False
    children: list["Node"] = field(default_factory=list)

    @property
    def is_point(self) -> bool:
        """Whether it stands around no text."""
        return self.source.start == self.source.end


def tree(tags: Iterable[Tag], length: int) -> Node:
    """Builds the tree of a segment; its root stands around all.

    Args:
        length: of the segment's text.
    """
    tags = list(tags)
    inside = {tag.index for tag in tags}
    root = Node(Span(0, length), reaches_start=True, reaches_end=True)
    ancestors = [root]
    for tag in tags:
        position = tag.source.start
        if tag.kind is PieceKind.OPEN:
            node = Node(Span(position, length), tag.written, reaches_end=tag.partner not in inside)
            ancestors[-1].children.append(node)
            ancestors.append(node)
        elif tag.kind is PieceKind.CLOSE and tag.partner in inside:
            node = ancestors.pop()
            node.source, node.closing = Span(node.source.start, position), tag.written
        elif tag.kind is PieceKind.CLOSE:  # all so far is in an element that started in a segment before
            root.children = [Node(Span(0, position), None, tag.written, reaches_start=True, children=root.children)]
        else:
            ancestors[-1].children.append(Node(tag.source, tag.written, is_protected=tag.kind is PieceKind.PROTECTED))
    return root


def descendants(root: Node) -> Iterator[tuple[Node, Node]]:
    """Yields each node below the root with its parent, parents before their children."""
    parents = [root]
    while parents:
        parent = parents.pop()
        for node in parent.children:
            yield node, parent
            if node.children:
                parents.append(node)
