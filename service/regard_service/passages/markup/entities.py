"""Character references and white space: read as text, and written as the source wrote them."""

import re
from collections.abc import Iterator
from html import unescape
from html.entities import html5
from typing import Literal, NamedTuple

MarkupFormat = Literal["html", "xml"]

_PREDEFINED = frozenset({"lt", "gt", "amp", "quot", "apos"})
# Possessive: no backtracking. The longest name of HTML has 31 letters.
_SPECIAL = re.compile(
    r"[ \t\n\f\r]++|\0|\ufeff|&(?:\#[xX][0-9a-fA-F]{1,8}+|\#[0-9]{1,8}+|[A-Za-z][A-Za-z0-9]{0,31}+);?+"
)
_REFERENCE = re.compile(r"&(?:\#|[A-Za-z0-9]++)[A-Za-z0-9]*+;?+")


class Spelling(NamedTuple):
    """A range of a source that is not read letter by letter: what it is read as; None for an entity of the document."""

    start: int
    end: int
    text: str | None


def spellings(source: str, start: int, end: int, markup: MarkupFormat) -> Iterator[Spelling]:
    """Yields white space, references and marks without a meaning, in order."""
    for match in _SPECIAL.finditer(source, start, end):
        read = _read(match[0], match.start(), markup)
        if read != match[0]:
            yield Spelling(match.start(), match.end(), read)
        elif match[0] == " ":
            yield Spelling(match.start(), match.end(), " ")


def _read(written: str, start: int, markup: MarkupFormat) -> str | None:
    if written[0] != "&":
        if written == "\ufeff":
            return "" if start == 0 else written
        return "" if written == "\0" else " "
    name = written[1:].removesuffix(";")
    if markup == "xml" and not (name.startswith("#") or name in _PREDEFINED or f"{name};" in html5):
        return None
    text = unescape(written)
    if text == written and written[-1] == ";":  # HTML does not know it: a template's or another document's
        return None
    return " " if text.isspace() and text in " \t\n\f\r" else text


def starts_reference(text: str, place: int, markup: MarkupFormat) -> bool:
    """Whether "&" at a place of a text would be read as the start of a reference: "&copy" is one in HTML, "&T" none."""
    match = _REFERENCE.match(text, place)
    if match is None or markup == "xml":
        return match is not None
    return match[0].endswith(";") or unescape(match[0]) != match[0]
