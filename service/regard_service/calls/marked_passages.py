"""HTML and XML as a model reads them: running texts in segments, and tags that return by the alignment."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import unescape

from regard_service.calls.passages import CopiedSegment, Passage
from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.edits import EditedText
from regard_service.passages.markup.segments import TranslatedSegment
from regard_service.passages.markup.units import MarkedText, PieceKind, Unit
from regard_service.passages.markup.writing import write


@dataclass(frozen=True)
class MarkedPassage(Passage):
    """A text with markup, in segments.

    Attributes:
        marked: the text with its units, whose running texts the segments are of.
        places: of each segment its unit's index and its range of the unit's text.
    """

    marked: MarkedText | None = None
    places: tuple[tuple[int, Span], ...] = ()

    @property
    def is_one(self) -> bool:
        """Its tags are written around what its segments became, also around one."""
        return False

    def written(self, outputs: Sequence[AlignedText]) -> "WrittenPassage":
        """Returns the whole target. Args: outputs: of the translated segments, with weights."""
        marked = self.marked or MarkedText(self.text, ())
        remaining = iter(outputs)
        units: list[list[TranslatedSegment]] = [[] for _ in marked.units]
        for segment, (unit, span) in zip(self.segments, self.places, strict=True):
            text = marked.units[unit].text[slice(*span)]
            aligned = AlignedText(text, text, (), ()) if isinstance(segment, CopiedSegment) else next(remaining)
            units[unit].append(TranslatedSegment(span, aligned))
        whole = write(marked, units)
        return WrittenPassage(whole.text, tuple(place for places in whole.segments for place in places))


@dataclass(frozen=True)
class WrittenPassage:
    """A target with its markup. Attributes: places: of each segment in the source and in the target."""

    text: str
    places: tuple[tuple[Span, Span], ...]


@dataclass(frozen=True)
class Frame:
    """Where the text of a unit stands in the whole source."""

    unit: Unit
    source: str

    def to_whole(self, span: Span) -> Span:
        """Returns the place in the source of a range of the unit's text."""
        start = self.unit.span.start
        found = self._edited.to_original(span)
        return Span(found.start + start, found.end + start)

    def to_unit(self, span: Span) -> Span | None:
        """Returns the range of the unit's text that a range of the source became; None if they do not overlap."""
        start, end = self.unit.span
        inner = Span(max(span.start, start) - start, min(span.end, end) - start)
        return self._edited.to_text(inner) if inner.start < inner.end else None

    @cached_property
    def has_tags(self) -> bool:
        """Whether tags have to be placed."""
        return any(piece.kind not in (PieceKind.TEXT, PieceKind.SPELLED) for piece in self.unit.pieces)

    @cached_property
    def _edited(self) -> EditedText:
        return self.unit.edited(self.source)


def positions_within(target: str, written: str) -> list[int]:
    """Returns where each character of a text stands in the text with its tags, and its end: [len(target) + 1].

    Where the two do not match, as at protected texts that moved, positions stay at the last that did.
    """
    positions, at = [], 0
    for character in target:
        found = _next(written, at, character)
        positions.append(at if found is None else found[0])
        at = at if found is None else found[1]
    return [*positions, at]


def _next(written: str, at: int, character: str) -> tuple[int, int] | None:
    """Returns the range of the next character that is read as the given one, behind any tags."""
    while at < len(written):
        if written[at] == "&":  # a reference, or the character itself
            end = written.find(";", at, at + 40) + 1
            if end and unescape(written[at:end]) == character:
                return at, end
        if written[at] == character:
            return at, at + 1
        if written[at] != "<":
            return None
        at = _tag_end(written, at)
    return None


def _tag_end(written: str, at: int) -> int:
    quote = ""
    for position in range(at, len(written)):
        character = written[position]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == ">":
            return position + 1
    return len(written)
