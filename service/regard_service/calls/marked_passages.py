"""HTML and XML as a model reads them: running texts in segments, and tags that return by the alignment."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from regard_service.calls.passages import CopiedSegment, Passage
from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.edits import EditedText
from regard_service.passages.markup.segments import TranslatedSegment, WrittenSegment
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
        return WrittenPassage(whole.text, tuple(segment for segments in whole.segments for segment in segments))


@dataclass(frozen=True)
class WrittenPassage:
    """A target with its markup. Attributes: segments: with their places in the source and in the target."""

    text: str
    segments: tuple[WrittenSegment, ...]


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
