"""Markdown: CommonMark with tables, strikethrough, footnotes, definition lists, formulas and front matter.

Code, formulas, addresses, labels and front matter stay. Emphasis, links and inline HTML are tags of their sentence.
A translation is parsed again: if its text reads as markup, it is escaped.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from regard_service.documents.encoding import decode
from regard_service.documents.html import html_places
from regard_service.documents.inline import (
    BrokenTags,
    Piece,
    Tag,
    Text,
    Translated,
    is_worded,
    read_translation,
    trimmed,
    unit_text,
)
from regard_service.documents.lines import Word, joined, words_of, wrapped
from regard_service.documents.markdown_blocks import Lines, Region, Unread, blocks
from regard_service.documents.markdown_inline import Misread, parser, read_inline
from regard_service.documents.places import Place, TextDocument, bounded, place
from regard_service.documents.unit import Document, DocumentOptions, Fault, Unit

_SPECIAL = re.compile(r"[\\`*_\[\]<&~$^]")
_NUMBER = re.compile(r"\d++(?=[.)])")
_PARAGRAPH = ["paragraph_open", "inline", "paragraph_close"]
# A word that would begin a block at the start of a line.
_BLOCK_MARK = re.compile(r"(?:[-+*:]|>.*|\|.*|#{1,6}|\d{1,9}[.)]|=+|-+|[~`]{3,}.*)$", re.DOTALL)
# What a list item or a quote begins with that is no text: the box of a task, the kind of an alert.
_LABEL = re.compile(r"(?:\[[ xX]\][ \t]+|\[![A-Za-z]++\][ \t]*(?:\n|$))")
_AS_HTML = {"*": "em", "_": "em", "**": "strong", "__": "strong", "~~": "del"}


def open_markdown(data: bytes, options: DocumentOptions) -> Document:
    """Reads a Markdown file. Raises InvalidInput."""
    decoded = decode(data, options.charset)
    reader = _Reader(decoded.text)
    places, notes = bounded(list(reader.places()), options)
    return TextDocument(decoded, places, notes=(*reader.notes, *notes))


class _Reader:
    """Finds the units of a file."""

    def __init__(self, text: str) -> None:
        self._lines = Lines(text)
        self._parser = parser()
        self._env: dict[str, object] = {}
        self.notes: list[Fault] = []

    def places(self) -> Iterator[Place]:
        """Yields the places of all units, in order."""
        for block in blocks(self._parser, self._lines, self._env):
            if isinstance(block, Region):
                yield from self._sentences(block)
            elif isinstance(block, Unread):
                self._note(block.line)
            else:
                yield from html_places(self._lines.text, block)

    def _note(self, line: int) -> None:
        self.notes.append(Fault(f"line {line + 1} has markup that is not understood, and stays as it is"))

    def _sentences(self, region: Region) -> Iterator[Place]:
        """Yields a place for each part of a block between hard line breaks."""
        try:
            pieces = read_inline(region.content, region.tokens)
        except Misread:
            self._note(region.line)
            return
        offset = 0
        for part in _split_at_breaks(_without_label(pieces)):
            length = sum(len(piece.source) for piece in part)
            inner, start, end, *_ = trimmed(part)
            if is_worded(inner):
                text, form = unit_text(inner)
                unit = Unit(text, form, f"line {region.line + 1}")
                writer = _Writer(self._parser, self._env, region, inner, self._lines.line_end)
                yield place(unit, region.place(offset + start, offset + end), writer.write)
            offset += length


def _without_label(pieces: list[Piece]) -> list[Piece]:
    """Makes a code of the label that a block begins with."""
    first = pieces[0] if pieces else None
    label = _LABEL.match(first.source) if isinstance(first, Text) else None
    if not isinstance(first, Text) or label is None:
        return pieces
    rest = first.source[label.end() :]
    kept = [Tag("alone", len(pieces) + 1, label[0])]
    return [*kept, Text(first.text[len(first.text) - len(rest) :], rest), *pieces[1:]] if rest else [*kept, *pieces[1:]]


def _split_at_breaks(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Yields the parts between hard line breaks, which end theirs. A break within a pair of codes splits nothing."""
    part: list[Piece] = []
    depth = 0
    for piece in pieces:
        part.append(piece)
        if isinstance(piece, Tag):
            depth += (piece.kind == "open") - (piece.kind == "close")
            if not depth and "\n" in piece.source and not piece.shown:
                yield part
                part = []
    yield part


class _Writer:
    """Writes the translation of a unit as Markdown that reads as it."""

    def __init__(
        self, markdown: MarkdownIt, env: dict[str, object], region: Region, pieces: Sequence[Piece], line_end: str
    ) -> None:
        self._parser = markdown
        self._env = env
        self._region = region
        self._pieces = pieces
        self._line_end = line_end

    def write(self, translation: str) -> str:
        """Returns the source of a translation. Raises BrokenTags if its tags are not the unit's."""
        pieces = _with_space_outside(read_translation(translation, self._pieces))
        for escape in (str, _escaped):
            if self._reads_as(pieces, escape):
                return self._lined(pieces, escape)
        pieces = [_as_html(piece) for piece in pieces]
        if self._reads_as(pieces, _escaped):
            return self._lined(pieces, _escaped)
        raise BrokenTags("Markdown cannot have the translation's tags where they are")

    def _reads_as(self, pieces: Sequence[Translated], escape: Callable[[str], str]) -> bool:
        """Whether the parser finds the same text and codes in what is written."""
        source = "".join(escape(piece) if isinstance(piece, str) else piece.target for piece in pieces)
        tokens: list[Token] = []
        self._parser.inline.parse(source, self._parser, self._env, tokens)
        try:
            found = read_inline(source, tokens)
        except Misread:
            return False
        return _outline(pieces) == _outline([each.text if isinstance(each, Text) else each for each in found])

    def _lined(self, pieces: Sequence[Translated], escape: Callable[[str], str]) -> str:
        """Breaks lines as long as the source's, if that has several, where they begin no block."""
        region = self._region
        words = words_of(pieces, escape, shows_codes=True)
        if region.is_cell:
            return joined(words).replace("|", "\\|")
        if words and not self._is_paragraph(joined(words)):
            words[0] = words[0]._replace(source=_before_mark(words[0].source))
            if not self._is_paragraph(joined(words)):
                raise BrokenTags("Markdown cannot have the translation where it is")
        if any(isinstance(piece, Text) and "\n" in piece.source for piece in self._pieces):
            lines = list(map(joined, wrapped(_glued(words), region.width - len(region.prefix))))
            if self._is_paragraph("\n".join(lines)):
                return (self._line_end + region.prefix).join(lines)
        return joined(words)

    def _is_paragraph(self, text: str) -> bool:
        """Whether a text by itself is a paragraph, and not a list, a heading or anything else."""
        return [token.type for token in self._parser.parse(text, {})] == _PARAGRAPH


def _glued(words: Sequence[Word]) -> list[Word]:
    """Joins words that would begin a block of their own, such as "-" or "1.", with those before them."""
    found: list[Word] = []
    for word in words:
        if found and _BLOCK_MARK.match(word.source):
            last = found[-1]
            found[-1] = Word(f"{last.source} {word.source}", last.width + 1 + word.width, last.is_spaced)
        else:
            found.append(word)
    return found


def _before_mark(word: str) -> str:
    """Escapes a word so that it begins no block, as a number with a full stop would."""
    number = _NUMBER.match(word)
    return f"{number[0]}\\{word[number.end() :]}" if number else f"\\{word}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)


def _with_space_outside(pieces: Sequence[Translated]) -> list[Translated]:
    """Moves white space within a pair of codes out of it: "** word**" is no emphasis."""
    found: list[Translated] = []
    carried = ""
    for piece in pieces:
        last = found[-1] if found else None
        if isinstance(piece, str):
            text, carried = carried + piece, ""
            if isinstance(last, Tag) and last.kind == "open" and text[:1].isspace():
                found.insert(_before_opening(found), " ")
                text = text.lstrip()
            found += [text] if text else []
        elif piece.kind == "close":
            if isinstance(last, str) and last[-1:].isspace():
                found[-1:] = [last.rstrip()] if last.strip() else []
                carried = " "
            found.append(piece)
        else:
            found += [carried, piece] if carried else [piece]
            carried = ""
    return found


def _before_opening(pieces: Sequence[Translated]) -> int:
    """Returns the position of the first of the opening codes at the end."""
    position = len(pieces)
    while position and isinstance(piece := pieces[position - 1], Tag) and piece.kind == "open":
        position -= 1
    return position


def _as_html(piece: Translated) -> Translated:
    """Replaces marks of emphasis by HTML, which may stand anywhere."""
    name = _AS_HTML.get(piece.source) if isinstance(piece, Tag) else None
    if name is None or not isinstance(piece, Tag):
        return piece
    return piece._replace(rewritten=f"<{name}>" if piece.kind == "open" else f"</{name}>")


def _outline(pieces: Sequence[Translated]) -> list[str]:
    """Returns texts and codes in order, with white space as it is read."""
    outline: list[str] = []
    is_text = False
    for piece in pieces:
        if isinstance(piece, str) and is_text:
            outline[-1] += piece
        else:
            outline.append(piece if isinstance(piece, str) else f"\0{piece.target}")
        is_text = isinstance(piece, str)
    return [" ".join(each.split()) for each in outline if each.strip()]
