"""HTML: a page is one unit, whose tags the translation has in their places."""

import re
from collections import Counter
from collections.abc import Iterator

from regard_service.documents.encoding import decode, has_mark
from regard_service.documents.places import Place, TextDocument, place
from regard_service.documents.unit import Document, DocumentOptions, Unit, has_words
from regard_service.domain.results import Span

_CHARSET = re.compile(
    rb"<meta\s[^>]*?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})|<\?xml\s[^>]*?encoding\s*=\s*[\"']([\w.:-]{1,40})", re.I
)
_HEAD_BYTES = 1024
_TAG = re.compile(
    r"<!--.*?(?:-->|$)|<(script|style|pre|code|svg|textarea)\b.*?(?:</\1\s*>|$)|</?([A-Za-z][^\s/>]*+)(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+>",
    re.DOTALL | re.IGNORECASE,
)
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())


def open_html(data: bytes, options: DocumentOptions) -> Document:
    """Reads a page, in the encoding that it declares (HTML Living Standard, 13.2.3.2). Raises InvalidInput."""
    charset = options.charset or ("" if has_mark(data) else _declared(data))
    decoded = decode(data, charset)
    span = Span(0, len(decoded.text))
    places = [place(Unit(decoded.text, "html", "page"), span)] if has_words(_text_of(decoded.text)) else []
    return TextDocument(decoded, places, errors="xmlcharrefreplace")


def _declared(data: bytes) -> str:
    match = _CHARSET.search(data[:_HEAD_BYTES])
    name = (match[1] or match[2]).decode("ascii") if match else ""
    # "A page that says it is UTF-16 and can be read to say so is UTF-8"; and Latin-1 is read as Windows-1252.
    if name.lower().startswith("utf-16"):
        return "utf-8"
    return "cp1252" if name.lower() in ("iso-8859-1", "latin1", "us-ascii", "ascii") else name


def _text_of(text: str) -> str:
    return _TAG.sub(" ", text)


def html_places(text: str, span: Span) -> Iterator[Place]:
    """Yields the parts of a range of HTML whose tags are balanced, each a unit; a tag that is not, such as the start of
    a <details> whose end stands in another block, stays.
    """
    block = text[span.start : span.end]
    line = text.count("\n", 0, span.start) + 1
    start = 0
    for tag in [*_unbalanced(block), Span(len(block), len(block))]:
        part = block[start : tag.start]
        if has_words(_text_of(part)):
            lead, trail = len(part) - len(part.lstrip()), len(part.rstrip())
            place_of = Span(span.start + start + lead, span.start + start + trail)
            yield place(Unit(part.strip(), "html", f"line {line}"), place_of)
        start = tag.end


def is_balanced_html(text: str) -> bool:
    """Whether a text has tags of HTML, each with its other half."""
    return any(match[2] for match in _TAG.finditer(text)) and not _unbalanced(text)


def _unbalanced(block: str) -> list[Span]:
    """Returns the tags that nothing in the block closes, or that close nothing in it."""
    alone: list[Span] = []
    waiting: list[tuple[str, Span]] = []
    num_open: Counter[str] = Counter()
    for match in _TAG.finditer(block):
        name, span = (match[2] or "").lower(), Span(*match.span())
        if not name or name in _VOID or match[0].endswith("/>"):
            continue
        if not match[0].startswith("</"):
            waiting.append((name, span))
            num_open[name] += 1
        elif num_open[name]:
            while waiting[-1][0] != name:
                num_open[waiting[-1][0]] -= 1
                alone.append(waiting.pop()[1])
            waiting.pop()
            num_open[name] -= 1
        else:
            alone.append(span)
    return sorted([*alone, *(span for _, span in waiting)])
