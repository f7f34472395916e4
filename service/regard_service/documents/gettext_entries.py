"""The entries of a PO file, with their places (GNU gettext manual, "The Format of PO Files")."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from regard_service.documents.unit import refused
from regard_service.domain.results import Span

_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n)?+")
_KEYWORD = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr)(?:\[(\d{1,2})\])?[ \t]*+("(?:[^"\\]++|\\.)*+")[ \t]*+$')
_STRING = re.compile(r'("(?:[^"\\]++|\\.)*+")[ \t]*+$')
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_WRITTEN = {"\\": "\\\\", '"': '\\"'} | {character: f"\\{name}" for name, character in _ESCAPED.items()}
_TO_ESCAPE = re.compile(r'[\\"\n\t\r\a\b\f\v]')

WIDTH = 79
"""Columns of a line, as GNU gettext breaks them."""


@dataclass
class Entry:
    """A message.

    Attributes:
        line: its first line, from 1.
        comments: its extracted comments, for translators.
        flags: such as "fuzzy" and "c-format".
        flag_place: where its flags stand, without the line's end; an empty range where they would.
        strings: its translations by number; 0 for a message without a plural.
        place: of all its translations, from the first keyword to the end of the last string.
    """

    line: int
    comments: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    flag_place: Span | None = None
    has_flags: bool = False
    context: str | None = None
    id: str | None = None
    plural: str | None = None
    strings: dict[int, str] = field(default_factory=dict)
    place: Span | None = None

    @property
    def is_translated(self) -> bool:
        """Whether it has a translation, fuzzy or not."""
        return any(self.strings.values())


def read_entries(text: str) -> list[Entry]:
    """Returns the entries of a file but the obsolete ones. Raises InvalidInput, with the line, for any other text."""
    return list(_Reader(text).entries())


class _Reader:
    """Reads line by line."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._entry: Entry | None = None
        self._last: tuple[str, int] | None = None  # the keyword that a string without one continues

    def entries(self) -> Iterator[Entry]:
        position, number = 0, 0
        while position < len(self._text):
            number += 1
            end = _LINE.match(self._text, position).end()  # type: ignore[union-attr]  # it matches everything
            line = self._text[position:end].strip()
            if line and not line.startswith("#~"):
                content = Span(position, position + len(self._text[position:end].rstrip("\r\n")))
                yield from self._read(line, content, number)
            elif not line:
                self._last = None
            position = end
        if self._entry is not None and self._entry.id is not None:
            yield self._entry

    def _read(self, line: str, place: Span, number: int) -> Iterator[Entry]:
        """Reads a line; yields the entry that it ends."""
        keyword, string = _KEYWORD.match(line), _STRING.match(line)
        if line.startswith("#") or (keyword and keyword[1] in ("msgctxt", "msgid")):
            yield from self._begin(number, is_id=keyword is not None and keyword[1] == "msgid")
        entry = self._entry
        if entry is not None and line.startswith("#"):
            self._comment(entry, line, place)
        elif entry is not None and keyword is not None:
            self._last = (keyword[1], int(keyword[2] or 0))
            self._string(entry, keyword[3], place, is_first=True)
        elif entry is not None and string is not None and self._last is not None:
            self._string(entry, string[1], place, is_first=False)
        else:
            raise refused(f"is no PO file: line {number} is {line[:60]!r}")

    def _begin(self, number: int, *, is_id: bool) -> Iterator[Entry]:
        """Begins an entry, if the line is the first of one; yields the one before."""
        entry = self._entry
        if entry is not None and not entry.strings and not (is_id and entry.id is not None):
            return
        if entry is not None:
            yield entry
        self._entry, self._last = Entry(number), None

    def _comment(self, entry: Entry, line: str, place: Span) -> None:
        if line.startswith("#,"):
            entry.flags += [flag.strip() for flag in line[2:].split(",") if flag.strip()]
            if not entry.has_flags:
                entry.flag_place, entry.has_flags = place, True
        elif line.startswith("#|") and entry.flag_place is None:
            entry.flag_place = Span(place.start, place.start)
        elif line.startswith("#."):
            entry.comments.append(line[2:].strip())

    def _string(self, entry: Entry, quoted: str, place: Span, *, is_first: bool) -> None:
        keyword, number = self._last or ("", 0)
        text = unescaped(quoted)
        if keyword == "msgstr":
            entry.strings[number] = ("" if is_first else entry.strings.get(number, "")) + text
            entry.place = Span(entry.place.start if entry.place else place.start, place.end)
            return
        if entry.flag_place is None:
            entry.flag_place = Span(place.start, place.start)
        name = {"msgctxt": "context", "msgid": "id", "msgid_plural": "plural"}[keyword]
        setattr(entry, name, ("" if is_first else getattr(entry, name) or "") + text)


def unescaped(quoted: str) -> str:
    """Returns what a quoted string says."""
    return _ESCAPE.sub(_character, quoted[1:-1])


def _character(match: "re.Match[str]") -> str:
    code = match[1]
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0] in "01234567":
        return chr(int(code, 8))
    return _ESCAPED.get(code, code)


def quoted(text: str) -> str:
    """Returns a string in quotes."""
    return '"' + _TO_ESCAPE.sub(lambda match: _WRITTEN[match[0]], text) + '"'


def written(keyword: str, text: str, line_end: str, *, is_wrapped: bool) -> str:
    """Writes a keyword and its string: on one line if it fits, else below the keyword, a line of text a line."""
    line = f"{keyword} {quoted(text)}"
    if ("\n" not in text[:-1] and len(line) <= WIDTH) or not text:
        return line
    lines = [part for each in text.splitlines(keepends=True) for part in (_parts(each) if is_wrapped else [each])]
    if len(lines) == 1:
        return line
    return line_end.join([f'{keyword} ""', *map(quoted, lines)])


def _parts(text: str) -> Iterator[str]:
    """Yields a line of text in parts that fit into a line of the file; each but the last ends with a space."""
    part = ""
    for word in re.findall(r"[^ ]*+ *+", text):
        if part and len(quoted(part + word.rstrip())) > WIDTH:
            yield part
            part = ""
        part += word
    if part:
        yield part
