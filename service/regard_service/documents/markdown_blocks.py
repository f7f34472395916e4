"""Where the running text of a Markdown file stands: paragraphs, headings, cells, and blocks of HTML."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from regard_service.documents.markdown_inline import Misread
from regard_service.domain.results import Span

_LINE_END = re.compile(r"\r\n|\r|\n")
_CLOSING_MARKS = re.compile(r"[ \t]#+[ \t]*$")
_CELL_EDGE = re.compile(r"(?<!\\)\|")
_CONTAINER_MARKS = re.compile(r"[ \t]*+(?:(?:>|[-+*]|\d{1,9}[.)])[ \t]*+)*+")


@dataclass(frozen=True)
class Region:
    """Running text of a file, without what stands before each line.

    Attributes:
        content: its lines, joined by line feeds.
        marks: positions in `content` from which on it is the file's text again, each with the position in the file.
        prefix: what stands before its second line; "" if it has one line.
        line: its first line, from 0.
        width: of the longest line, in characters.
        is_cell: it is a cell of a table, where bars are escaped.
    """

    content: str
    marks: tuple[tuple[int, int], ...]
    line: int
    prefix: str = ""
    width: int = 0
    is_cell: bool = False

    def place(self, start: int, end: int) -> Span:
        """Returns where a range of the content, which is not empty, stands in the file."""
        has_backslash = self.is_cell and self.content[start] == "|"
        return Span(self._position(start) - has_backslash, self._position(end - 1) + 1)

    def _position(self, offset: int) -> int:
        content, place = self.marks[bisect_right(self.marks, offset, key=lambda mark: mark[0]) - 1]
        return place + offset - content


class Lines:
    """The lines of a text, as markdown-it counts them."""

    def __init__(self, text: str) -> None:
        self.text = text
        ends = list(_LINE_END.finditer(text))
        self._starts = [0, *(match.end() for match in ends)]
        self._ends = [*(match.start() for match in ends), len(text)]
        self.line_end = ends[0][0] if ends else "\n"

    def span(self, line: int) -> Span:
        """Returns a line's place, without its end."""
        return Span(self._starts[line], self._ends[line])

    def spans(self, start: int, end: int) -> Span:
        """Returns the place of lines [start, end), with their ends."""
        return Span(self._starts[start], self._starts[end] if end < len(self._starts) else len(self.text))

    def __getitem__(self, line: int) -> str:
        return self.text[self._starts[line] : self._ends[line]]


class Unread(NamedTuple):
    """A block whose text was not found in the file.

    Attributes:
        line: from 0.
    """

    line: int


Block = Region | Span | Unread
"""Running text; or the place of a block of HTML; or what could not be placed."""


def blocks(markdown: MarkdownIt, lines: Lines, env: dict[str, object]) -> Iterator[Block]:
    """Yields the blocks of a file in order.

    Args:
        env: gets the definitions of links.
    """
    previous = ""
    row = -1
    cells: Iterator[Span] = iter(())
    for token in markdown.parse(lines.text, env):
        if token.type == "html_block" and token.map is not None:
            yield lines.spans(*token.map)
        elif token.type == "inline" and token.map is not None:
            if previous in ("th_open", "td_open"):
                if row != token.map[0]:
                    row, cells = token.map[0], _cells(lines, token.map[0])
                yield from _tried(row, _cell, lines, token, next(cells, Span(0, 0)))
            elif previous == "admonition_title_open":
                yield from _title(lines, token)
            else:
                yield from _tried(token.map[0], _region, lines, token, previous)
        previous = token.type


def _tried(line: int, find: Callable[..., Region], lines: Lines, token: Token, where: object) -> Iterator[Block]:
    """Yields a token's text, if it has any and it is found."""
    if not token.content:
        return
    try:
        yield find(lines, token, where)
    except Misread:
        yield Unread(line)


def _title(lines: Lines, token: Token) -> Iterator[Region]:
    """Yields the title of an admonition, if it has its own: !!! note "Title"."""
    line = (token.map or [0, 0])[0]
    at = lines[line].rfind(f'"{token.content}"')
    if token.content and at >= 0:
        yield Region(token.content, ((0, lines.span(line).start + at + 1),), line)


def _region(lines: Lines, token: Token, opening: str) -> Region:
    """Finds a paragraph's lines: each ends the line of the file that it stands on."""
    first = (token.map or [0, 0])[0]
    is_heading = opening == "heading_open" and "\n" not in token.content
    marks, offset, prefixes, width = [], 0, [], 0
    for line, content in enumerate(token.content.split("\n"), first):
        start, stripped = _start_of(lines, line, content, is_heading=is_heading)
        marks.append((offset, start - (len(content) - len(stripped))))
        prefixes.append(lines.text[lines.span(line).start : start])
        width = max(width, len(lines[line]))
        offset += len(content) + 1
    prefix = prefixes[1] if len(prefixes) > 1 else ""
    return Region(token.content, tuple(marks), first, prefix, width)


def _start_of(lines: Lines, line: int, content: str, *, is_heading: bool) -> tuple[int, str]:
    """Returns where a line of content starts in the file, without the spaces that it begins with."""
    stripped = content.lstrip()
    source = lines[line].rstrip()
    if is_heading and not source.endswith(stripped.rstrip()):
        source = _CLOSING_MARKS.sub("", source).rstrip()
    if not source.endswith(stripped.rstrip()):
        raise Misread(f"line {line + 1}")
    return lines.span(line).start + len(source) - len(stripped.rstrip()), stripped


def _cells(lines: Lines, row: int) -> Iterator[Span]:
    """Yields the places of a row's cells, with the spaces around them."""
    place, line = lines.span(row), lines[row]
    edges = [match.start() for match in _CELL_EDGE.finditer(line)]
    starts, ends = [0, *(edge + 1 for edge in edges)], [*edges, len(line)]
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if index or not _CONTAINER_MARKS.fullmatch(line, start, end):
            yield Span(place.start + start, place.start + end)


def _cell(lines: Lines, token: Token, span: Span) -> Region:
    source = lines.text[span.start : span.end].rstrip()
    escaped = token.content.replace("|", "\\|")
    if not source.endswith(escaped):
        raise Misread("a cell")
    start = span.start + len(source) - len(escaped)
    marks, offset = [(0, start)], 0
    for number, part in enumerate(token.content.split("|")[:-1], 1):
        offset += len(part)
        marks.append((offset, start + offset + number))  # a bar has a backslash before it
    line = (token.map or [0, 0])[0]
    return Region(token.content, tuple(marks), line, is_cell=True)
