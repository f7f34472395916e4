"""The formats of documents, by media type and by the ending of a file's name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath
from typing import NamedTuple

from regard_service.documents.gettext import open_gettext
from regard_service.documents.html import open_html
from regard_service.documents.json_strings import open_json
from regard_service.documents.markdown import open_markdown
from regard_service.documents.plain_text import open_plain_text
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
    """

    media_type: str
    names: tuple[str, ...]
    endings: tuple[str, ...]
    open: Callable[[bytes, DocumentOptions], Document]


_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

FORMATS = (
    DocumentFormat("text/plain", ("text", "txt"), (".txt", ".text"), open_plain_text),
    DocumentFormat("text/markdown", ("markdown", "md", "text/x-markdown"), (".md", ".markdown"), open_markdown),
    DocumentFormat("text/html", ("html", "application/xhtml+xml"), (".html", ".htm", ".xhtml"), open_html),
    DocumentFormat("application/x-subrip", ("srt", "text/srt", "application/srt"), (".srt",), open_srt),
    DocumentFormat("text/vtt", ("vtt", "webvtt"), (".vtt",), open_vtt),
    DocumentFormat("text/x-ssa", ("ass", "ssa", "text/x-ass"), (".ass", ".ssa"), open_ass),
    DocumentFormat(
        "text/x-gettext-translation", ("po", "text/x-po", "application/x-gettext"), (".po", ".pot"), open_gettext
    ),
    DocumentFormat("application/json", ("json", "text/json"), (".json", ".arb"), open_json),
    DocumentFormat("application/xliff+xml", ("xliff", "xlf"), (".xlf", ".xliff"), open_xliff),
    DocumentFormat(_WORD, ("docx",), (".docx",), open_word),
)


def open_document(data: bytes, media_type: str, options: DocumentOptions | None = None) -> Document:
    """Reads a file.

    Args:
        media_type: its media type or short name ("markdown"); a parameter `charset` tells the encoding.

    Raises:
        InvalidInput: the format is unknown, or the file is not of it.
    """
    options = options or DocumentOptions()
    charset = _charset(media_type.partition(";")[2])
    if charset:
        options = replace(options, charset=charset)
    format_ = format_of(media_type)
    if not data and format_.media_type != _WORD:
        return open_plain_text(data, options)  # an empty file is its own translation
    return format_.open(data, options)


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
