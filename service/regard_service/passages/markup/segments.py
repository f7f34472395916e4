"""Segments with their tags: where they stand in a unit, and how they are written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.markup.output import Output
from regard_service.passages.markup.placement import Placement, place
from regard_service.passages.markup.spelling import Speller, may_need_spelling
from regard_service.passages.markup.tree import Node, Tag, tree
from regard_service.passages.markup.units import PieceKind, Unit


class TranslatedSegment(NamedTuple):
    """A part of a unit's text and its translation; `aligned.source` is `unit.text[span.start:span.end]`."""

    span: Span
    aligned: AlignedText


class _Atom(NamedTuple):
    """A piece of a unit, or a part of one that a segment cuts: its text's place, and its place in the whole source.

    Attributes:
        piece: its index.
    """

    kind: PieceKind
    text: Span
    source: Span
    piece: int
    partner: int | None


class _Part(NamedTuple):
    """The atoms of a segment: text, tags within it, and the pairs of tags that start or end within it."""

    segment: TranslatedSegment
    atoms: Sequence[_Atom]

    @property
    def source(self) -> Span:
        """Its place in the whole source."""
        return Span(self.atoms[0].source.start, self.atoms[-1].source.end)


class WrittenSegment(NamedTuple):
    """Where a segment stands in the source, and its translation in the output, tags included.

    Attributes:
        characters: the place in the output of each character of the translation.
    """

    source: Span
    target: Span
    characters: Sequence[Span]

    def to_output(self, span: Span) -> Span:
        """Returns the place in the output of a range of the translation, with the tags in it."""
        start = self.characters[span.start].start if span.start < len(self.characters) else self.target.end
        return Span(start, max(start, self.characters[span.end - 1].end) if span.start < span.end else start)

    def moved(self, offset: int) -> "WrittenSegment":
        """Returns the segment in an output that has this one at an offset."""
        target, *characters = (Span(start + offset, end + offset) for start, end in (self.target, *self.characters))
        return WrittenSegment(self.source, target, characters)


def write_unit(output: Output, unit: Unit, segments: Sequence[TranslatedSegment]) -> list[WrittenSegment]:
    """Writes a unit.

    Args:
        segments: in order, without overlap, none of them empty.
    """
    written, position = list[WrittenSegment](), unit.span.start
    for part in _parts(unit, segments):
        output.copy(Span(position, part.source.start))
        start = output.length
        characters = _write_segment(output, unit, part)
        position = part.source.end
        written.append(WrittenSegment(part.source, Span(start, output.length), characters))
    output.copy(Span(position, unit.span.end))
    return written


# From a unit to the atoms of its segments.


def _parts(unit: Unit, segments: Sequence[TranslatedSegment]) -> Iterator[_Part]:
    """Yields the atoms of each segment that has text."""
    atoms = list(_atoms(unit, [edge for segment in segments for edge in segment.span]))
    first = 0
    for segment in segments:
        while first < len(atoms) and not _is_in(atoms[first], segment.span):
            first += 1
        last = after = first
        while after < len(atoms) and atoms[after].text.start < segment.span.end:
            last = after if _is_in(atoms[after], segment.span) else last
            after += 1
        if first < len(atoms) and _is_in(atoms[first], segment.span):
            begin, end = _with_pairs(atoms, first, last)
            yield _Part(segment, atoms[begin : end + 1])
            first = end + 1


def _is_in(atom: _Atom, span: Span) -> bool:
    return atom.text.start < atom.text.end and span.start <= atom.text.start < span.end


def _atoms(unit: Unit, edges: Sequence[int]) -> Iterator[_Atom]:
    """Yields the pieces of a unit, cut at the edges of the segments.

    Where a segment cuts what is not written letter by letter, its first part stands for all in the source.
    """
    following = 0
    for index, (piece, start) in enumerate(zip(unit.pieces, unit.starts, strict=True)):
        end = start + len(piece.text)
        while following < len(edges) and edges[following] <= start:
            following += 1
        cuts = [start]
        while following < len(edges) and edges[following] < end:
            if edges[following] > cuts[-1]:
                cuts.append(edges[following])
            following += 1
        offset = piece.span.start - start
        for first, last in pairwise([*cuts, end]):
            if piece.kind is PieceKind.TEXT:
                source = Span(first + offset, last + offset)
            else:
                source = piece.span if first == start else Span(piece.span.end, piece.span.end)
            yield _Atom(piece.kind, Span(first, last), source, index, piece.partner)


def _with_pairs(atoms: Sequence[_Atom], first: int, last: int) -> tuple[int, int]:
    """Returns a range of atoms that has the tags before and after it whose partners it has."""
    begin, end = first, last
    # The tags of a pair are both outside, or one of them is within.
    low, high = atoms[first].piece, atoms[last].piece
    at = first - 1
    while at >= 0 and atoms[at].text.start == atoms[at].text.end == atoms[first].text.start:
        if atoms[at].kind is PieceKind.OPEN and low < (atoms[at].partner or 0) < high:
            begin = at
        at -= 1
    at = last + 1
    while at < len(atoms) and atoms[at].text.start == atoms[at].text.end == atoms[last].text.end:
        partner = atoms[at].partner
        if atoms[at].kind is PieceKind.CLOSE and partner is not None and atoms[begin].piece <= partner < high:
            end = at
        at += 1
    return begin, end


# From the atoms of a segment to the output.


def _write_segment(output: Output, unit: Unit, part: _Part) -> Sequence[Span]:
    """Writes a segment; returns the place of each character of its translation."""
    aligned = part.segment.aligned
    if aligned.target == aligned.source:
        return _copy_segment(output, part)
    if quotes := unit.quote == "":
        output.write('"')
    root = tree(_tags(part), len(aligned.source))
    speller = Speller(aligned.target, _spellings(output.source, unit, part), unit.markup, unit.quote or '"' * quotes)
    writer = _Writer(output, aligned, speller, place(root, aligned))
    writer.write(root)
    if quotes:
        output.write('"')
    return writer.characters


def _copy_segment(output: Output, part: _Part) -> Sequence[Span]:
    characters: list[Span] = []
    for atom in part.atoms:
        start = output.length
        output.copy(atom.source)
        length = atom.text.end - atom.text.start
        if atom.kind is PieceKind.TEXT:
            characters += [Span(start + at, start + at + 1) for at in range(length)]
        else:
            characters += [Span(start, output.length)] * length
    return characters


def _tags(part: _Part) -> list[Tag]:
    """Returns the tags of a segment and its protected texts, each with the white space that is not read behind it."""
    tags: list[Tag] = []
    offset, length = part.segment.span.start, len(part.segment.aligned.source)
    for before, atom in zip([None, *part.atoms[:-1]], part.atoms, strict=True):
        if atom.kind in (PieceKind.TEXT, PieceKind.SPELLED):
            follows_tag = tags and before is not None and tags[-1].written.end == atom.source.start
            if atom.text.start == atom.text.end and follows_tag:
                tags[-1].written = Span(tags[-1].written.start, atom.source.end)
            continue
        start, end = (min(max(0, edge - offset), length) for edge in atom.text)
        tags.append(Tag(atom.kind, atom.source, Span(start, end), atom.piece, atom.partner))
    return tags


def _spellings(source: str, unit: Unit, part: _Part) -> Iterator[tuple[str, str]]:
    """Yields the characters of a segment that are written otherwise or may have to be, each as it is written."""
    for atom in part.atoms:
        text = unit.text[slice(*atom.text)]
        if atom.kind is PieceKind.SPELLED and len(text) == 1 and text != " ":
            yield text, source[slice(*atom.source)]
        elif atom.kind is PieceKind.TEXT:
            yield from ((character, character) for character in text if may_need_spelling(character))


@dataclass
class _Frame:
    node: Node
    children: Iterator[Node]
    end: int


class _Writer:
    """Writes a segment's translation and its tags."""

    def __init__(self, output: Output, aligned: AlignedText, speller: Speller, placement: Placement) -> None:
        self._output = output
        self._target = aligned.target
        self._speller = speller
        self._places = placement.places
        self._removed = sorted(placement.removed)
        self.characters: list[Span] = []

    @property
    def _position(self) -> int:
        """How much of the translation is written."""
        return len(self.characters)

    def write(self, root: Node) -> None:
        """Writes all; a tag that would stand in a word or a pair that is over is written at once."""
        frames = [self._frame(root)]
        while frames:
            frame = frames[-1]
            node = next(frame.children, None)
            if node is None:
                self._text_up_to(frame.end)
                self._tag(frame.node.closing)
                frames.pop()
                continue
            self._text_up_to(min(self._places[node].start, frame.end))
            if node.is_protected:
                self._protected(node, frame.end)
            else:
                self._tag(node.opening)
                frames.append(self._frame(node, frame.end))

    def _frame(self, node: Node, outer_end: int | None = None) -> _Frame:
        place = self._places[node]
        order = {id(child): index for index, child in enumerate(node.children)}
        children = sorted(node.children, key=lambda child: (self._places[child].start, order[id(child)]))
        return _Frame(node, iter(children), place.end if outer_end is None else min(place.end, outer_end))

    def _tag(self, written: Span | None) -> None:
        if written is not None:
            self._output.copy(written)

    def _protected(self, node: Node, outer_end: int) -> None:
        place = self._places[node]
        is_lost = place.start == place.end
        if is_lost and self._output.last.isalnum():
            self._output.write(" ")
        start = self._output.length
        self._tag(node.opening)
        self._pass(min(place.end, outer_end), start)
        if is_lost and self._target[self._position : self._position + 1].isalnum():
            self._output.write(" ")

    def _text_up_to(self, end: int) -> None:
        for removed in self._removed:
            if self._position < removed.end and removed.start < end:
                self._text(removed.start)
                self._pass(removed.end, self._output.length)
        self._text(end)

    def _text(self, end: int) -> None:
        for written in self._speller.written(self._position, end):
            start = self._output.length
            self._output.write(written)
            self.characters.append(Span(start, self._output.length))

    def _pass(self, end: int, start: int) -> None:
        """Counts characters as written, by what was written from a start."""
        self.characters += [Span(start, self._output.length)] * (end - self._position)
