"""Typographic quotation marks, apostrophes and ellipses: plain for the model, and in the target's form afterwards.

Corpora are cleaned to the plain forms more often than not, so models know these better, even where their vocabulary
holds both. Angle quotation marks stay: languages that use them have them in their corpora.
"""

import re
from collections.abc import Iterator, Sequence

from regard_service.domain.results import Span
from regard_service.passages.normalization.characters import Replacement

_PLAIN = {
    **dict.fromkeys("’‘‚‛ʼ", "'"),
    **dict.fromkeys("“”„‟", '"'),
    **dict.fromkeys("‐‑−", "-"),
    "…": "...",
}
_TYPOGRAPHIC = re.compile("[" + "".join(_PLAIN) + "]")
_QUOTES = {
    **dict.fromkeys("de cs sk bg sl lt is".split(), ("„", "“")),
    **dict.fromkeys("fr".split(), ("«\u00a0", "\u00a0»")),
    **dict.fromkeys("es it el ru uk be no nb nn".split(), ("«", "»")),
    **dict.fromkeys("pl ro hu hr sr".split(), ("„", "”")),
    **dict.fromkeys("sv fi".split(), ("”", "”")),
    **dict.fromkeys("ja zh".split(), ("「", "」")),
}
_APOSTROPHE = re.compile(r"(?<=\w)'(?=\w)")
_ELLIPSIS = re.compile(r"(?<!\.)\.{3}(?!\.)")


def plain(text: str) -> Iterator[Replacement]:
    """Yields typographic characters with their plain forms."""
    return ((Span(*match.span()), _PLAIN[match[0]]) for match in _TYPOGRAPHIC.finditer(text))


def marks_of(text: str) -> frozenset[str]:
    """Returns the plain forms of the typographic characters that a text holds."""
    return frozenset(_PLAIN[character] for character in text if character in _PLAIN)


def typographic(text: str, marks: frozenset[str], language: str, kept: Sequence[Span]) -> list[Replacement]:
    """Returns the changes that write a translation as typographically as its source was.

    Args:
        marks: those of the source, of `marks_of`.
        language: of the translation.
        kept: ranges that stay; in order.
    """
    found: list[Replacement] = []
    if '"' in marks:
        found += _quotes(text, language, kept)
    if "'" in marks:
        found += [(Span(*match.span()), "’") for match in _APOSTROPHE.finditer(text)]
    if "..." in marks:
        found += [(Span(*match.span()), "…") for match in _ELLIPSIS.finditer(text)]
    return sorted(change for change in found if not _is_within(change[0], kept))


def _quotes(text: str, language: str, kept: Sequence[Span]) -> list[Replacement]:
    """Returns the plain quotation marks with those of a language; none if they do not come in pairs."""
    spans = [Span(position, position + 1) for position, character in enumerate(text) if character == '"']
    spans = [span for span in spans if not _is_within(span, kept)]
    pair = _QUOTES.get(language.lower().replace("_", "-").split("-")[0], ("“", "”"))
    return [(span, pair[index % 2]) for index, span in enumerate(spans)] if len(spans) % 2 == 0 else []


def _is_within(span: Span, kept: Sequence[Span]) -> bool:
    return any(span.start < other.end and other.start < span.end for other in kept)
