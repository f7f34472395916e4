"""The formats of documents, by media type and by the ending of a file's name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath
from typing import NamedTuple

from regard_service.documents.gettext import open_gettext
from regard_service.documents.html import open_html
from regard_service.documents.json_strings import open_json
from regard_service.documents.markdown import open_markdown
from regard_service.documents.marks import (
    LINES,
    LINES_OF_MARKDOWN,
    LINES_OF_TEXT,
    NONE,
    TAGS_OF_HTML,
    VALUES,
    Marks,
)
from regard_service.documents.plain_text import open_plain_text
from regard_service.documents.qt import open_qt
from regard_service.documents.subtitles import open_ass, open_srt, open_vtt
from regard_service.documents.unit import Document, DocumentOptions
from regard_service.documents.word import open_word
from regard_service.documents.xliff import open_xliff
from regard_service.errors import InvalidInput


class DocumentFormat(NamedTuple):
    """A format of documents.

    Attributes:
        media_type: its registered name, or the usual one.
        names: other names, among them a short one.
        endings: of file names, with the dot.
        marks: how many places where its reader makes an object a file may have.
    """

    media_type: str
    names: tuple[str, ...]
    endings: tuple[str, ...]
    open: Callable[[bytes, DocumentOptions], Document]
    marks: Marks


_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

FORMATS = (
    DocumentFormat("text/plain", ("text", "txt"), (".txt", ".text"), open_plain_text, LINES_OF_TEXT),
    DocumentFormat(
        "text/markdown", ("markdown", "md", "text/x-markdown"), (".md", ".markdown"), open_markdown, LINES_OF_MARKDOWN
    ),
    DocumentFormat(
        "text/html", ("html", "application/xhtml+xml"), (".html", ".htm", ".xhtml"), open_html, TAGS_OF_HTML
    ),
    DocumentFormat("application/x-subrip", ("srt", "text/srt", "application/srt"), (".srt",), open_srt, LINES),
    DocumentFormat("text/vtt", ("vtt", "webvtt"), (".vtt",), open_vtt, LINES),
    DocumentFormat("text/x-ssa", ("ass", "ssa", "text/x-ass"), (".ass", ".ssa"), open_ass, LINES),
    DocumentFormat(
        "text/x-gettext-translation",
        ("po", "text/x-po", "application/x-gettext"),
        (".po", ".pot"),
        open_gettext,
        LINES,
    ),
    DocumentFormat("application/json", ("json", "text/json"), (".json", ".arb"), open_json, VALUES),
    DocumentFormat("application/xliff+xml", ("xliff", "xlf"), (".xlf", ".xliff"), open_xliff, NONE),
    DocumentFormat("text/vnd.qt.linguist", ("ts", "qt", "text/vnd.trolltech.linguist"), (".ts",), open_qt, NONE),
    DocumentFormat(_WORD, ("docx",), (".docx",), open_word, NONE),
)


def open_document(data: bytes, media_type: str, options: DocumentOptions | None = None) -> Document:
    """Reads a file.

    Args:
        media_type: its media type or short name ("markdown"); a parameter `charset` tells the encoding.

    Raises:
        InvalidInput: the format is unknown, or the file is not of it, or has more parts than are read.
    """
    options = options or DocumentOptions()
    charset = _charset(media_type.partition(";")[2])
    if charset:
        options = replace(options, charset=charset)
    found = format_of(media_type)
    if not data and found.media_type != _WORD:
        return open_plain_text(data, options)  # an empty file is its own translation
    found.marks.check(data)
    return found.open(data, options)


def format_of(media_type: str) -> DocumentFormat:
    """Returns a format by its media type, with or without parameters, or short name. Raises InvalidInput."""
    name = media_type.partition(";")[0].strip().lower()
    for each in FORMATS:
        if name == each.media_type or name in each.names:
            return each
    known = ", ".join(each.media_type for each in FORMATS)
    raise InvalidInput.of("media_type", f"is {media_type[:80]!r}; it must be one of {known}")


def media_type_of(file_name: str) -> str:
    """Returns the media type that a file's name tells by its ending; "" for an unknown one."""
    ending = PurePath(file_name).suffix.lower()
    return next((each.media_type for each in FORMATS if ending in each.endings), "")


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"')
    return ""
