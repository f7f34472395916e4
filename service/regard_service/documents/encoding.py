"""Bytes into text and back, in the encoding that the file has."""

import codecs
import re
from dataclasses import dataclass

from regard_service.documents.unit import Fault, refused

_MARKS = (  # the longer first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Encodings of files. Python has others that are none: "punycode" takes quadratic time, "unicode_escape" reads escapes.
_OF_FILES = re.compile(r"(?:ascii|big5|cp|euc|gb|hz|iso|johab|koi8|kz|latin|mac|ptcp|shift|tis|utf-(?:8|16|32))")


@dataclass(frozen=True)
class DecodedText:
    """A file's text, and how to make bytes of such a text again.

    Attributes:
        mark: the byte-order mark, which is no part of the text; b"" without one.
    """

    text: str
    encoding: str = "utf-8"
    mark: bytes = b""

    def encode(self, text: str, *, errors: str = "strict") -> bytes:
        """Returns the bytes of a text. Raises UnicodeEncodeError for characters that the encoding lacks."""
        return self.mark + text.encode(self.encoding, errors)

    def encode_or_widen(self, text: str) -> tuple[bytes, tuple[Fault, ...]]:
        """As `encode`; a text with characters that the encoding lacks becomes UTF-8, which a fault says."""
        try:
            return self.encode(text), ()
        except UnicodeEncodeError as error:
            fault = Fault(f"{self.encoding} has no {error.object[error.start]!r}: the document is UTF-8 now")
            return text.encode(errors="replace"), (fault,)


def decode(data: bytes, charset: str = "") -> DecodedText:
    """Decodes a file: by its byte-order mark, else by `charset`, else as UTF-8.

    Raises:
        InvalidInput: names the first byte that is not of the encoding, or an unknown encoding; or the file is binary.
    """
    encoding, mark = _marked(data)
    encoding = encoding or known_encoding(charset) or "utf-8"
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        position = len(mark) + error.start
        raise refused(f"is not {encoding.upper()}: byte {position} is {data[position]:#04x}") from None
    if "\0" in text:
        raise refused(f"is no text: character {text.index(chr(0))} is NUL")
    return DecodedText(text, encoding, mark)


def known_encoding(charset: str) -> str:
    """Returns Python's name of an encoding; "" for "". Raises InvalidInput for one that is unknown."""
    if not charset:
        return ""
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        name = ""
    if not _OF_FILES.match(name):
        raise refused(f"is in the encoding {charset[:40]!r}, which is unknown")
    return name


def has_mark(data: bytes) -> bool:
    """Whether a file begins with a byte-order mark."""
    return bool(_marked(data)[1])


def _marked(data: bytes) -> tuple[str, bytes]:
    """Returns the encoding that a byte-order mark tells, and the mark."""
    return next(((name, mark) for mark, name in _MARKS if data.startswith(mark)), ("", b""))
