"""Plain text: a unit a paragraph. The lines of a paragraph are the sentence splitter's business."""

import re
from collections.abc import Iterator

from regard_service.documents.encoding import decode
from regard_service.documents.places import TextDocument, bounded, place
from regard_service.documents.unit import Document, DocumentOptions, Unit, has_words
from regard_service.domain.results import Span

_BLANK_LINES = re.compile(r"(?:\r\n|\r|\n)(?:[ \t]*+(?:\r\n|\r|\n))++")
_LINE_END = re.compile(r"\r\n|\r|\n")


def open_plain_text(data: bytes, options: DocumentOptions) -> Document:
    """Reads a text. Raises InvalidInput."""
    decoded = decode(data, options.charset)
    text = decoded.text
    spans = [
        span
        for paragraph in _paragraphs(text)
        for span in cut(text, paragraph, options.max_unit_characters)
        if has_words(text[span.start : span.end])
    ]
    places = [
        place(Unit(text[span.start : span.end], id=f"line {line}"), span) for span, line in _numbered(text, spans)
    ]
    places, notes = bounded(places, options)
    return TextDocument(decoded, places, notes=notes)


def _paragraphs(text: str) -> Iterator[Span]:
    start = 0
    for blank in _BLANK_LINES.finditer(text):
        yield Span(start, blank.start())
        start = blank.end()
    yield Span(start, len(text.rstrip("\r\n")))


def _numbered(text: str, spans: list[Span]) -> Iterator[tuple[Span, int]]:
    """Yields each range with the number of its first line, from 1."""
    line, position = 1, 0
    for span in spans:
        line += sum(1 for _ in _LINE_END.finditer(text, position, span.start))
        position = span.start
        yield span, line


def cut(text: str, span: Span, limit: int) -> Iterator[Span]:
    """Yields a range in pieces of at most `limit` characters, cut behind a line, a sentence or a word if it can be."""
    start = span.start
    while span.end - start > limit:
        end = _cut_position(text, start, start + limit)
        yield Span(start, end)
        start = end
    if start < span.end:
        yield Span(start, span.end)


def _cut_position(text: str, start: int, end: int) -> int:
    for mark in ("\n", ". ", "。", " "):
        position = text.rfind(mark, start + 1, end)
        if position > start:
            return position + len(mark)
    return end
