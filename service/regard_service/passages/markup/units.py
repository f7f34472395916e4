"""Running texts with their tags."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import NamedTuple

from regard_service.domain.results import Span
from regard_service.passages.edits import EditedText
from regard_service.passages.markup.entities import MarkupFormat


class PieceKind(Enum):
    """What a piece is: text as it is written, text written otherwise, a tag, or text that is kept verbatim.

    A POINT is a tag by itself: an empty element, a comment, or a tag without its partner.
    """

    TEXT = "text"
    SPELLED = "spelled"
    OPEN = "open"
    CLOSE = "close"
    POINT = "point"
    PROTECTED = "protected"


class Piece(NamedTuple):
    """A part of a unit.

    Attributes:
        text: what a reader reads of it; empty for tags.
        span: its place in the source.
        partner: the index of the tag that closes or opens it.
    """

    kind: PieceKind
    text: str
    span: Span
    partner: int | None = None


@dataclass(frozen=True)
class Unit:
    """A running text with its tags, or an attribute's value.

    Attributes:
        pieces: contiguous in the source.
        quote: the quotes around an attribute's value; None for a running text, "" for a value without quotes.
    """

    pieces: tuple[Piece, ...]
    markup: MarkupFormat
    quote: str | None = None

    @property
    def span(self) -> Span:
        """Its place in the source."""
        return Span(self.pieces[0].span.start, self.pieces[-1].span.end)

    @cached_property
    def text(self) -> str:
        """The running text: without tags, with each reference read and each run of white space as one blank."""
        return "".join(piece.text for piece in self.pieces)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where each piece starts in `text`."""
        starts, position = [], 0
        for piece in self.pieces:
            starts.append(position)
            position += len(piece.text)
        return tuple(starts)

    @property
    def protected(self) -> tuple[Span, ...]:
        """The ranges of `text` that stay as they are: code."""
        kept = (
            Span(start, start + len(piece.text))
            for start, piece in zip(self.starts, self.pieces, strict=True)
            if piece.kind is PieceKind.PROTECTED and piece.text
        )
        return tuple(_merged(kept))

    def edited(self, source: str) -> EditedText:
        """Returns `text` as a text made from its place in the whole source, whose positions it can tell."""
        offset = self.span.start
        edits = [
            (Span(piece.span.start - offset, piece.span.end - offset), piece.text)
            for piece in self.pieces
            if piece.kind is not PieceKind.TEXT
        ]
        return EditedText.replacing(source[offset : self.span.end], edits)


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    """Yields ranges that do not overlap. Args: spans: in order."""
    last: Span | None = None
    for span in spans:
        if last is not None and span.start < last.end:
            last = Span(last.start, max(last.end, span.end))
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


@dataclass(frozen=True)
class MarkedText:
    """A text in markup, and its running texts.

    Attributes:
        units: in the order of their places. An attribute's value may lie within a tag of another unit.
    """

    source: str
    units: Sequence[Unit]
