"""What a request says about the tags of an XML text: elements to leave alone, and where sentences may end.

Which elements are blocks follows from the text, as for any XML (`passages/markup/rules.py`). What a request asks beyond
that is checked against it: a text in which it does not hold is refused, rather than translated in another way.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from regard_service.domain.results import Span
from regard_service.passages.markup.rules import XmlRules
from regard_service.passages.markup.tokens import MarkupError, MarkupToken, TokenKind
from regard_service.passages.markup.xml import xml_tokens


@dataclass(frozen=True)
class TagRules:
    """What a request says about tags.

    Attributes:
        ignored: elements whose contents are not translated.
        splitting: elements that sentences end at.
        non_splitting: elements that stand within sentences.
        has_outline: whether sentences may end at other elements too, as the text's structure says.
    """

    ignored: frozenset[str] = frozenset()
    splitting: frozenset[str] = frozenset()
    non_splitting: frozenset[str] = frozenset()
    has_outline: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return self.has_outline and not (self.ignored or self.splitting or self.non_splitting)


@dataclass(frozen=True)
class TagFault:
    """What a text does not keep. Attributes: field: of the request."""

    field: str
    description: str


def read_tags(text: str, rules: TagRules) -> tuple[list[Span], list[TagFault]]:
    """Returns the ranges of a text that are not translated, and what of the rules does not hold in it.

    A text that is not well-formed has neither: the call refuses it.
    """
    try:
        tokens = xml_tokens(text)
    except MarkupError:
        return [], []
    return list(_contents(tokens, rules.ignored)), list(_faults(text, tokens, rules))


def _contents(tokens: Sequence[MarkupToken], names: Collection[str]) -> Iterator[Span]:
    """Yields the contents of elements; not those of elements within them."""
    depth, start = 0, 0
    for token in tokens:
        if token.kind is TokenKind.OPEN and (depth or token.name in names):
            if not depth:
                start = token.span.end
            depth += 1
        elif token.kind is TokenKind.CLOSE and depth:
            depth -= 1
            if not depth and token.span.start > start:
                yield Span(start, token.span.start)


def _faults(text: str, tokens: Sequence[MarkupToken], rules: TagRules) -> Iterator[TagFault]:
    """Yields the first fault of each field."""
    found: set[str] = set()
    for name, is_block, has_siblings in _elements(text, tokens):
        fault = _fault(name, rules, is_block=is_block, has_siblings=has_siblings)
        if fault is not None and fault.field not in found:
            found.add(fault.field)
            yield fault


def _fault(name: str, rules: TagRules, *, is_block: bool, has_siblings: bool) -> TagFault | None:
    if name in rules.splitting:
        description = f"<{name}> stands within a running text, where this server ends no sentence"
        return None if is_block else TagFault("splitting_tags", description)
    if not (is_block and has_siblings):
        return None
    description = f"<{name}> stands among elements, and this server ends the sentence there"
    if name in rules.non_splitting:
        return TagFault("non_splitting_tags", description)
    return None if rules.has_outline else TagFault("outline_detection", description)


def _elements(text: str, tokens: Sequence[MarkupToken]) -> Iterator[tuple[str, bool, bool]]:
    """Yields the elements: the name, whether sentences end there, and whether other elements stand beside it."""
    rules = XmlRules(text, tokens)
    num_children: dict[int, int] = {}
    parents: dict[int, int] = {}
    stack = [-1]
    for index, token in enumerate(tokens):
        if token.kind in (TokenKind.OPEN, TokenKind.EMPTY):
            parents[index] = stack[-1]
            num_children[stack[-1]] = num_children.get(stack[-1], 0) + 1
            if token.kind is TokenKind.OPEN:
                stack.append(index)
        elif token.kind is TokenKind.CLOSE:
            stack.pop()
    for index, parent in parents.items():
        yield tokens[index].name, rules.is_block(index), num_children[parent] > 1
