"""HTML: the running texts of a page and the attributes that people read; each is a unit, with its tags."""

import html
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from regard_service.documents.encoding import decode, has_mark
from regard_service.documents.inline import BrokenTags
from regard_service.documents.places import Place, TextDocument, bounded, place
from regard_service.documents.unit import Document, DocumentOptions, Unit, has_words
from regard_service.domain.results import Span
from regard_service.passages.markup import units as markup
from regard_service.passages.markup.parse import parse

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
    places, notes = bounded(list(html_places(decoded.text, Span(0, len(decoded.text)))), options)
    return TextDocument(decoded, places, errors="xmlcharrefreplace", notes=notes)


def _declared(data: bytes) -> str:
    match = _CHARSET.search(data[:_HEAD_BYTES])
    name = (match[1] or match[2]).decode("ascii") if match else ""
    # "A page that says it is UTF-16 and can be read to say so is UTF-8"; and Latin-1 is read as Windows-1252.
    if name.lower().startswith("utf-16"):
        return "utf-8"
    return "cp1252" if name.lower() in ("iso-8859-1", "latin1", "us-ascii", "ascii") else name


def html_places(text: str, span: Span) -> Iterator[Place]:
    """Yields the running texts of a range of HTML, and the values of attributes that people read, in order.

    A tag whose other half is outside of the range is part of none.
    """
    source = text[span.start : span.end]
    line, position = text.count("\n", 0, span.start) + 1, 0
    for found in _outermost(parse(source, "html").units):
        if not _has_words(found):
            continue
        line += source.count("\n", position, found.span.start)
        position, end = found.span.start, found.span.end
        where = Span(span.start + position, span.start + end)
        if found.quote is None:
            unit = Unit(source[position:end], "html", f"line {line}")
            yield place(unit, where, _checked(unit.text))
        else:
            yield place(Unit(found.text, "plain", f"line {line}"), where, _quoted(found.quote))


def _outermost(found: Sequence[markup.Unit]) -> Iterator[markup.Unit]:
    """Yields the units but the attributes of tags within a running text: they are translated with it."""
    end = 0
    for unit in sorted(found, key=lambda unit: (unit.span.start, -unit.span.end)):
        if unit.span.start >= end:
            end = unit.span.end
            yield unit


def _has_words(unit: markup.Unit) -> bool:
    kinds = (markup.PieceKind.TEXT, markup.PieceKind.SPELLED)
    return any(piece.kind in kinds and has_words(piece.text) for piece in unit.pieces)


def _checked(source: str) -> Callable[[str], str]:
    """Returns what refuses a translation whose tags are not the source's."""
    tags = _tags(source)

    def check(translation: str) -> str:
        if _tags(translation) != tags:
            raise BrokenTags("the translation has not the tags of the source")
        return translation

    return check


def _tags(text: str) -> Counter[str]:
    """Counts the tags of a text, by their names."""
    return Counter(match[0][: match.end(2) - match.start()] for match in _TAG.finditer(text) if match[2])


def _quoted(quote: str) -> Callable[[str], str]:
    """Returns what writes the value of an attribute, which stands in these quotes."""

    def write(translation: str) -> str:
        escaped = html.escape(translation, quote=False)
        if quote == "'":
            return escaped.replace("'", "&#39;")
        escaped = escaped.replace('"', "&quot;")
        return escaped if quote else f'"{escaped}"'

    return write


def is_balanced_html(text: str) -> bool:
    """Whether a text has tags of HTML, each with its other half."""
    return any(match[2] for match in _TAG.finditer(text)) and not _unbalanced(text)


def _unbalanced(block: str) -> list[Span]:
    """Returns the tags that nothing in the block closes, or that close nothing in it."""
    alone: list[Span] = []
    pairs: list[tuple[Span, Span]] = []
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
            pairs.append((waiting.pop()[1], span))
            num_open[name] -= 1
        else:
            alone.append(span)
    alone = sorted([*alone, *(span for _, span in waiting)])
    # A pair around a tag that stands alone is cut there, and is none.
    cut = [pair for pair in pairs if bisect_left(alone, pair[0]) != bisect_left(alone, pair[1])]
    return sorted([*alone, *(span for pair in cut for span in pair)])
