"""Collects the pieces of a running text."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from regard_service.domain.results import Span
from regard_service.passages.markup.entities import MarkupFormat, spellings
from regard_service.passages.markup.units import Piece, PieceKind


@dataclass(slots=True)
class Run:
    """The pieces of a running text, as they are read.

    Attributes:
        places: the index of each start tag's piece, by the tag's token.
        ends_in_space: whether blanks that follow are not read.
    """

    pieces: list[Piece] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)
    ends_in_space: bool = True

    def add(self, kind: PieceKind, text: str, span: Span) -> None:
        """Adds a piece."""
        self.pieces.append(Piece(kind, text, span))
        if text:
            self.ends_in_space = text[-1] == " "

    def add_tag(self, span: Span, token: int) -> None:
        """Adds a start tag, alone until its end tag is read."""
        self.places[token] = len(self.pieces)
        self.add(PieceKind.POINT, "", span)

    def add_end_tag(self, span: Span, start_token: int | None) -> None:
        """Adds an end tag, and makes it the partner of its start tag if that is in this text."""
        self.add(PieceKind.POINT, "", span)
        first = None if start_token is None else self.places.get(start_token)
        if first is not None:
            last = len(self.pieces) - 1
            self.pieces[first] = self.pieces[first]._replace(kind=PieceKind.OPEN, partner=last)
            self.pieces[last] = self.pieces[last]._replace(kind=PieceKind.CLOSE, partner=first)

    def add_blank(self, position: int) -> None:
        """Adds a blank that the source does not have, unless one is read there."""
        if not self.ends_in_space:
            self.add(PieceKind.SPELLED, " ", Span(position, position))

    def add_text(self, source: str, span: Span, markup: MarkupFormat, *, keeps_space: bool = False) -> None:
        """Adds a text: its references as the characters that they stand for, each run of white space as one blank."""
        position = span.start
        for start, end, text in spellings(source, *span, markup):
            is_blank = text == " " and not keeps_space
            if keeps_space and source[start:end].isspace():
                continue
            ends_in_space = self.ends_in_space if start == position else source[start - 1] == " "
            if source[start:end] == " " and not ends_in_space:
                continue
            self._add_plain(source, position, start)
            if text is None:
                self.add(PieceKind.POINT, "", Span(start, end))
            else:
                self.add(PieceKind.SPELLED, "" if is_blank and self.ends_in_space else text, Span(start, end))
            position = end
        self._add_plain(source, position, span.end)

    def _add_plain(self, source: str, start: int, end: int) -> None:
        if start < end:
            self.add(PieceKind.TEXT, source[start:end], Span(start, end))

    def trimmed(self) -> Sequence[Piece]:
        """Returns the pieces from the first that is read to the last, with the tags whose partners are among them.

        Returns:
            nothing, if nothing in them is to be translated.
        """
        pieces = self.pieces
        read = [index for index, piece in enumerate(pieces) if piece.text.strip()]
        if not any(pieces[index].kind is not PieceKind.PROTECTED for index in read):
            return ()
        first, last = read[0], read[-1]
        begin = min((i for i in range(first) if (to := pieces[i].partner) and first < to <= last), default=first)
        end = max(
            (i for i in range(last + 1, len(pieces)) if (of := pieces[i].partner) is not None and begin <= of < last),
            default=last,
        )
        kept = [piece if piece.partner is None else self._moved(piece, begin, end) for piece in pieces[begin : end + 1]]
        return _without_last_blank(kept)

    @staticmethod
    def _moved(piece: Piece, begin: int, end: int) -> Piece:
        """Returns a tag with its partner's index counted from `begin`; a POINT if its partner is left outside."""
        partner = piece.partner
        if partner is None or not begin <= partner <= end:
            return piece._replace(kind=PieceKind.POINT, partner=None)
        return piece._replace(partner=partner - begin)


def _without_last_blank(pieces: list[Piece]) -> Sequence[Piece]:
    """Returns pieces whose text does not end in a blank; a blank there is as it is written, but not read."""
    last = max(index for index, piece in enumerate(pieces) if piece.text)
    kind, text, span, _ = pieces[last]
    if kind is PieceKind.PROTECTED or text[-1] != " ":
        return pieces
    if kind is PieceKind.SPELLED and text == " ":
        pieces[last] = Piece(kind, "", span)
        return _without_last_blank(pieces)
    if kind is PieceKind.TEXT:
        # Its tags count pieces from the front: those behind a new piece move.
        cut = len(text.rstrip(" "))
        middle = span.start + cut
        blank = Piece(PieceKind.SPELLED, "", Span(middle, span.end))
        text_only = Piece(kind, text[:cut], Span(span.start, middle))
        return _inserted(pieces, last, [text_only, blank] if cut else [blank])
    return pieces


def _inserted(pieces: list[Piece], index: int, new: list[Piece]) -> list[Piece]:
    """Returns pieces with one replaced by others, and the partners' indexes behind them moved."""
    more = len(new) - 1
    moved = [
        piece if piece.partner is None or piece.partner <= index else piece._replace(partner=piece.partner + more)
        for piece in pieces
    ]
    return [*moved[:index], *new, *moved[index + 1 :]]
