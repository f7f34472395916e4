"""Finds the running text of a text: paragraphs, lines, list items and columns, and hard-wrapped lines as one.

Whatever lies between two blocks is layout, which nobody translates: breaks, indents, bullets, quote marks.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from regard_service.domain.results import Span
from regard_service.passages.protection.rules.codes import is_code
from regard_service.passages.protection.rules.finding import find
from regard_service.passages.protection.rules.kinds import Kind

# Lines are wrapped by a program if the next word would not have fit. Shorter lines are a person's: of a poem, a list.
MIN_WRAP_WIDTH = 40
# Where the next line begins with a capital, as verses and entries of a list do, only lines of this width are wrapped,
# and only if several are full.
MIN_CERTAIN_WRAP_WIDTH = 60

# What ends a block within a line: `str.splitlines` knows the breaks.
_LAYOUT = re.compile(
    r"[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029|]|\s{3}| [/>\u2192\u00b7\u2022] "
    r"|^\s*+[>*+#\[\-\u2013\u2014\u2022\u2023\u2043\u25aa-\u25e6]"
)
_COLUMN_GAP = re.compile(r"\s*+(?P<bar>(?<!\|)\|(?!\|))\s*+|\s++")
_BAR = re.compile(r"(?<!\|)\|(?!\|)")
_ROW = re.compile(r"\s*+\|.*\|")
# Between the entries of a line that is nothing else: "Yes / No / Cancel", "Tools > Options".
_ENTRY_GAP = re.compile(r"(?<!\s) ++[/>\u2192\u00b7\u2022] ++(?!\s)")
_MAX_ENTRY_WORDS = 3
_MIN_COLUMN_GAP = 3  # spaces
# White space, marks of quotation and, if a bullet follows, the bullet. Possessive: the time is linear.
_LEAD = re.compile(
    r"\s*+(?:>\s*+)*+"
    r"(?P<bullet>(?:[-*+\u2013\u2014\u2022\u2023\u2043\u25aa\u25ab\u25e6\u25cf\u25cb]|\#{1,6}+|\(?+\d{1,3}+[.)]|\(?+[A-Za-z]\))\s++)?+"
    r"(?:\[[ xX]\]\s++)?+"
)
# A line that begins or ends a block of code, as in Markdown and in chats.
_FENCE = re.compile(r"\s*+(?P<fence>`{3,}+|~{3,}+)(?P<info>[^`\n\r]*+)\s*+")


@dataclass(frozen=True)
class Block:
    """Running text.

    Attributes:
        span: without white space around it.
        breaks: in order, the ranges within `span` at which hard-wrapped lines were broken: white space before the
            break, the break, and what the next line begins with.
    """

    span: Span
    breaks: tuple[Span, ...] = ()


class _Line(NamedTuple):
    """A line's running text, without what it begins with and without white space at its end."""

    text: Span
    has_bullet: bool
    has_columns: bool


def has_layout(text: str) -> bool:
    """Whether a text may be more than one line of running text. Fast, and never False by mistake."""
    return _LAYOUT.search(text) is not None


def blocks(text: str) -> list[Block]:
    """Returns a text's blocks, in order; none overlap. What is blank is in no block."""
    if not has_layout(text):
        content = text.strip()
        start = len(text) - len(text.lstrip())
        return [Block(Span(start, start + len(content)))] if content else []
    found: list[Block] = []
    for paragraph in _paragraphs(text):
        for lines in _unwrapped(text, paragraph):
            if len(lines) == 1 and lines[0].has_columns:
                found += [Block(span) for span in _columns(text, lines[0].text)]
            else:
                breaks = tuple(Span(a.text.end, b.text.start) for a, b in pairwise(lines))
                found.append(Block(Span(lines[0].text.start, lines[-1].text.end), breaks))
    return found


def _paragraphs(text: str) -> Iterator[list[_Line]]:
    """Yields the runs of lines between blank ones."""
    is_only_line = len(text.strip().splitlines()) == 1
    position, paragraph = 0, []
    lines = text.splitlines(keepends=True)
    code = _code_lines(lines) if "```" in text or "~~~" in text else frozenset()
    for number, whole in enumerate(lines):
        is_code = number in code
        line = None if is_code else _line(text, position, len(whole), is_only_line=is_only_line)
        position += len(whole)
        if line is not None:
            paragraph.append(line)
        elif paragraph:
            yield paragraph
            paragraph = []
    if paragraph:
        yield paragraph


def _code_lines(lines: Sequence[str]) -> frozenset[int]:
    """Returns the numbers of the lines of code between two fences, and of the fences; they are layout."""
    fences = [(number, match) for number, line in enumerate(lines) if (match := _FENCE.fullmatch(line))]
    found: set[int] = set()
    opened: tuple[int, str] | None = None
    for number, match in fences:
        fence, is_bare = match["fence"], not match["info"].strip()
        if opened is None:
            opened = number, fence
        elif is_bare and fence.startswith(opened[1]):
            found.update(range(opened[0], number + 1))
            opened = None
    return frozenset(found)


def _line(text: str, start: int, length: int, *, is_only_line: bool) -> _Line | None:
    """Returns a line of a text; None if it is blank or nothing but a bullet."""
    end = start + len(text[start : start + length].rstrip())
    lead = _LEAD.match(text, start, end)
    content = lead.end() if lead else start
    bullet = lead["bullet"] if lead else None
    if bullet and is_only_line and any(map(str.isalnum, bullet)):
        content = lead.start("bullet") if lead else start  # "1. FC Union" alone is no list
        bullet = None
    if content >= end:
        return None
    return _Line(Span(content, end), bullet is not None, next(_column_gaps(text, content, end), None) is not None)


def _unwrapped(text: str, paragraph: Sequence[_Line]) -> Iterator[list[_Line]]:
    """Yields the lines of each block of a paragraph: one, or several that a program has wrapped."""
    width = max(line.text.end - line.text.start for line in paragraph)
    full = [_is_full(text, before, line, width) for before, line in pairwise(paragraph)]
    is_certain = width >= MIN_CERTAIN_WRAP_WIDTH and sum(full) > 1
    block = [paragraph[0]]
    for is_full, line in zip(full, paragraph[1:], strict=True):
        if is_full and (is_certain or not text[line.text.start].isupper()):
            block.append(line)
        else:
            yield block
            block = [line]
    yield block


def _is_full(text: str, before: _Line, line: _Line, width: int) -> bool:
    """Whether the first word of a line would not have fit on the line before it."""
    if width < MIN_WRAP_WIDTH or line.has_bullet or line.has_columns or before.has_columns:
        return False
    first = text[line.text.start : line.text.start + width].split(maxsplit=1)[0]
    return before.text.end - before.text.start + 1 + len(first) > width


def _columns(text: str, line: Span) -> Iterator[Span]:
    """Yields the cells of a line that has columns."""
    start = line.start
    for gap in [*_column_gaps(text, line.start, line.end), Span(line.end, line.end)]:
        if start < gap.start:
            yield Span(start, gap.start)
        start = gap.end


def _column_gaps(text: str, start: int, end: int) -> Iterator[Span]:
    """Yields what divides columns: white space with a tab, or wide; a bar; a mark between entries."""
    line = text[start:end]
    if is_code(line):
        return
    entries = _ENTRY_GAP.split(line)
    if len(entries) > 1 and all(_is_entry(entry) for entry in entries):
        yield from (Span(match.start() + start, match.end() + start) for match in _ENTRY_GAP.finditer(line))
        return
    bars = frozenset(_bars(line)) if "|" in line else frozenset()
    for match in _COLUMN_GAP.finditer(line):
        if match.start("bar") in bars if match["bar"] else "\t" in match[0] or len(match[0]) >= _MIN_COLUMN_GAP:
            yield Span(match.start() + start, match.end() + start)


def _is_entry(text: str) -> bool:
    return 0 < len(text.split(maxsplit=_MAX_ENTRY_WORDS)) <= _MAX_ENTRY_WORDS and text[-1] not in ".!?"


def _bars(line: str) -> Iterator[int]:
    """Yields the places of the bars between cells: of a row "| a | b |", or between spaces; not of those in code."""
    is_row = _ROW.fullmatch(line) is not None
    closed = [finding.span for finding in find(line) if finding.kind is not Kind.MARK]
    at = 0
    for match in _BAR.finditer(line):
        while at < len(closed) and closed[at].end <= match.start():
            at += 1
        is_apart = line[match.start() - 1 : match.start()].isspace() and line[match.end() : match.end() + 1].isspace()
        if (is_row or is_apart) and (at == len(closed) or match.start() < closed[at].start):
            yield match.start()
