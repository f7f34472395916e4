"""A sentence with markup of its own: the markup becomes tags of a unit, and comes back from its translation.

A pair of codes around words becomes `<g id="1">words</g>`, a code that stands alone `<img id="2"/>`, and code that is
read with the sentence, such as a code span, `<x id="3" translate="no">code</x>`. As HTML these are parts of their
sentence wherever they stand; in XML an element among elements would be a block of its own.
"""

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from typing import Literal, NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import escape

from regard_service.documents.unit import UnitFormat, has_words

TagKind = Literal["open", "close", "alone"]

_SPACES = " \t\r\n"


class Text(NamedTuple):
    """Text between codes.

    Attributes:
        text: as people read it.
        source: as the file has it.
    """

    text: str
    source: str


class Tag(NamedTuple):
    """A code of the file's markup.

    Attributes:
        number: pairs an opening tag with its closing tag; each number is of one pair or of one tag that stands alone.
        source: as the file has it.
        shown: the text of a code that stands alone, if it is read with the sentence.
        rewritten: what a translation has in its place, if that is not `source`.
    """

    kind: TagKind
    number: int
    source: str
    shown: str = ""
    rewritten: str = ""

    @property
    def target(self) -> str:
        """The code in a translation."""
        return self.rewritten or self.source


Piece = Text | Tag
"""A piece of a sentence in the file."""

Translated = str | Tag
"""A piece of its translation."""


class BrokenTags(ValueError):
    """A translation's tags are not those of its source, or the document cannot have it.

    Attributes:
        unit: index of the unit among those of its place.
    """

    unit = 0


class Trimmed(NamedTuple):
    """The part of a text that is translated.

    Attributes:
        start, end: its place in the source.
        first, last: the range of pieces that it is of.
    """

    pieces: tuple[Piece, ...]
    start: int
    end: int
    first: int = 0
    last: int = 0


Part = tuple[str, bool] | None
"""What a code is part of: the name of what it opens (True) or closes (False); None if it stands alone."""


def paired(pieces: Sequence[Piece], parts: Sequence[Part]) -> list[Piece]:
    """Pairs the codes that open something with those that close it, and numbers all.

    Args:
        parts: of each piece; None for text.
    """
    numbered: list[Piece] = [
        piece._replace(number=number) if isinstance(piece, Tag) else piece for number, piece in enumerate(pieces, 1)
    ]
    waiting: list[tuple[str, int]] = []
    num_open: Counter[str] = Counter()
    for position, part in enumerate(parts):
        if part is None:
            continue
        name, is_open = part
        if is_open:
            waiting.append((name, position))
            num_open[name] += 1
        elif num_open[name]:
            while waiting[-1][0] != name:
                num_open[waiting.pop()[0]] -= 1  # never closed: stands alone
            _pair(numbered, waiting.pop()[1], position)
            num_open[name] -= 1
    return numbered


def _pair(pieces: list[Piece], start: int, end: int) -> None:
    opening, closing = pieces[start], pieces[end]
    if isinstance(opening, Tag) and isinstance(closing, Tag):
        pieces[start] = opening._replace(kind="open")
        pieces[end] = closing._replace(kind="close", number=opening.number)


def trimmed(pieces: Sequence[Piece]) -> Trimmed:
    """Takes off what stands around the words: white space, codes that stand alone, pairs around everything."""
    first, last = 0, len(pieces)
    closes = {p.number: (i, p) for i, p in enumerate(pieces) if isinstance(p, Tag) and p.kind == "close"}
    worded = [index for index, piece in enumerate(pieces) if _is_word(piece)]
    if not worded:
        return Trimmed((), 0, 0)
    while first < worded[0]:
        piece = pieces[first]
        if isinstance(piece, Tag) and piece.kind == "open":
            end, closing = closes[piece.number]
            if end < worded[-1] or closing.rewritten:
                break
            last = min(last, end)
        first += 1
    opened = {each.number for each in pieces[first:last] if isinstance(each, Tag) and each.kind == "open"}
    while last - 1 > worded[-1] and not _is_close(pieces[last - 1], opened):
        last -= 1
    start = sum(len(piece.source) for piece in pieces[:first])
    end = start + sum(len(piece.source) for piece in pieces[first:last])
    return _without_edges(list(pieces[first:last]), start, end)._replace(first=first, last=last)


def _without_edges(pieces: list[Piece], start: int, end: int) -> Trimmed:
    """Takes off the white space at the edges of the first and last text."""
    first = pieces[0]
    if isinstance(first, Text):
        pieces[0] = Text(first.text.lstrip(_SPACES), first.source.lstrip(_SPACES))
        start += len(first.source) - len(pieces[0].source)
    last = pieces[-1]
    if isinstance(last, Text):
        pieces[-1] = Text(last.text.rstrip(_SPACES), last.source.rstrip(_SPACES))
        end -= len(last.source) - len(pieces[-1].source)
    return Trimmed(tuple(pieces), start, end)


def _is_word(piece: Piece) -> bool:
    return not piece.text.isspace() if isinstance(piece, Text) else bool(piece.shown)


def _is_close(piece: Piece, opened: Container[int]) -> bool:
    """Whether it closes one of the open pairs."""
    return isinstance(piece, Tag) and piece.kind == "close" and piece.number in opened


def merged(pieces: Iterable[Piece]) -> list[Piece]:
    """Joins the texts that follow each other."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if isinstance(piece, Text) and isinstance(last, Text):
            found[-1] = Text(last.text + piece.text, last.source + piece.source)
        else:
            found.append(piece)
    return found


def is_worded(pieces: Iterable[Piece]) -> bool:
    """Whether there are words to translate."""
    return any(isinstance(piece, Text) and has_words(piece.text) for piece in pieces)


def unit_text(pieces: Sequence[Piece]) -> tuple[str, UnitFormat]:
    """Returns the text of a unit and its format: plain if there are no codes."""
    if not any(isinstance(piece, Tag) for piece in pieces):
        return "".join(piece.text for piece in pieces if isinstance(piece, Text)), "plain"
    return "".join(map(_written, pieces)), "html"


def _written(piece: Piece) -> str:
    if isinstance(piece, Text):
        return escape(piece.text)
    match piece.kind:
        case "open":
            return f'<g id="{piece.number}">'
        case "close":
            return "</g>"
    if piece.shown:
        return f'<x id="{piece.number}" translate="no">{escape(piece.shown)}</x>'
    return f'<img id="{piece.number}"/>'


def read_translation(translation: str, pieces: Sequence[Piece]) -> list[Translated]:
    """Returns the pieces of a unit's translation, with the codes of the source.

    Raises:
        BrokenTags: it is not well-formed, or has not exactly the tags of the source.
    """
    tags = [piece for piece in pieces if isinstance(piece, Tag)]
    if not tags:
        return [translation] if translation else []
    found = _Reader(tags).read(translation)
    missing = {tag.number for tag in tags} - {piece.number for piece in found if isinstance(piece, Tag)}
    if missing:
        raise BrokenTags(f"the translation lacks tag {min(missing)}")
    return found


class _Reader:
    """Reads the tags of a translation."""

    def __init__(self, tags: Sequence[Tag]) -> None:
        self._by_place = {(tag.kind, tag.number): tag for tag in tags}
        self._pieces: list[Translated] = []
        self._open: list[int] = []
        self._used: set[int] = set()
        self._skipped = 0
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse

    def read(self, translation: str) -> list[Translated]:
        try:
            self._parser.Parse(f"<unit>{translation}</unit>".encode(errors="replace"), True)
        except expat.ExpatError as error:
            raise BrokenTags(f"the translation is not well-formed: {expat.errors.messages[error.code]}") from None
        return self._pieces

    def _refuse(self, *_: object) -> None:
        raise BrokenTags("the translation declares a document type")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "unit" or self._skipped:
            self._skipped += bool(self._skipped)
            return
        number = int(attributes.get("id", "") or "0") if attributes.get("id", "").isdecimal() else 0
        kind: TagKind = "open" if name == "g" else "alone"
        tag = self._by_place.get((kind, number))
        if tag is None or number in self._used:
            raise BrokenTags(f"the translation has a tag <{name}> that is not the source's, or has it twice")
        self._used.add(number)
        self._pieces.append(tag)
        if kind == "open":
            self._open.append(number)
        else:
            self._skipped = 1

    def _end(self, name: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif name == "g":
            self._pieces.append(self._by_place["close", self._open.pop()])

    def _text(self, text: str) -> None:
        if not self._skipped:
            self._pieces.append(text)
