"""Characters that look like others, or like nothing, and what stands for them in running text."""

import re
import unicodedata
from collections.abc import Callable, Iterator

from regard_service.domain.results import Span

Replacement = tuple[Span, str]
"""A range of a text, and the text in its place."""

_INVISIBLE = re.compile(
    "[\ufeff\u200b\u2060-\u2064\u00ad\u034f\u061c\u180e\u200e\u200f\u202a-\u202e\u2066-\u206f\ufff9-\ufffb"
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]+"
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_JOINER = re.compile("[\u200c\u200d]+")
_SPACES = re.compile(r"[\s\u0085]+")
_COMPATIBLE = re.compile(
    "[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\ufb00-\ufb06\U0001d400-\U0001d7ff]+|[\uff66-\uff9f]+"
)
_WIDE_MARKS = re.compile("[\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff5e]")
_EAST_ASIAN = re.compile("[\u2e80-\u2fdf\u3005-\u3007\u3041-\u30ff\u3105-\u312f\u3400-\u9fff\uac00-\ud7af]")
_COMBINED = re.compile(r"[^\W\d_][\u0300-\u036f\u3099\u309a]+|[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?")
_TYPOGRAPHIC = {
    "’": "'", "‘": "'", "‚": "'", "‛": "'", "′": "'", "ʼ": "'",
    "“": '"', "”": '"', "„": '"', "‟": '"', "″": '"', "«": '"', "»": '"', "‹": "'", "›": "'",
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-",
    "…": "...", "⁄": "/", "∕": "/", "․": ".",
}  # fmt: skip
_VARIANT = re.compile("[" + "".join(_TYPOGRAPHIC) + "]")


def replacements(text: str, knows: Callable[[str], bool]) -> Iterator[Replacement]:
    """Yields what of a text has a plainer form; ranges may overlap, and then the earlier one counts.

    Args:
        knows: whether the model has a piece for a character.
    """
    yield from _spaces(text)
    if text.isascii() and not _CONTROL.search(text):
        return
    yield from ((Span(*match.span()), "") for match in _INVISIBLE.finditer(text))
    yield from ((Span(*m.span()), "") for m in _JOINER.finditer(text) if not _joins(text, m.start(), m.end()))
    wide = [_COMPATIBLE] if _EAST_ASIAN.search(text) else [_COMPATIBLE, _WIDE_MARKS]
    for pattern in wide:
        yield from ((Span(*m.span()), unicodedata.normalize("NFKC", m[0])) for m in pattern.finditer(text))
    yield from ((Span(*m.span()), unicodedata.normalize("NFC", m[0])) for m in _COMBINED.finditer(text))
    yield from ((Span(*m.span()), _TYPOGRAPHIC[m[0]]) for m in _VARIANT.finditer(text) if not knows(m[0]))


def _spaces(text: str) -> Iterator[Replacement]:
    for match in _SPACES.finditer(text):
        if match[0] != " " and not _is_in_number(text, match.start(), match.end()):
            yield Span(*match.span()), " "


def _joins(text: str, start: int, end: int) -> bool:
    """Whether a joiner means something: within an emoji, or in a script that writes with joiners."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if not before:
        return False
    if not before.isascii() and (unicodedata.category(before) in ("So", "Sk", "Mn") or ord(before) >= 0x1F000):
        return bool(after)
    return 0x0600 <= ord(before) <= 0x0FFF or 0x1000 <= ord(before) <= 0x1CFF


def _is_in_number(text: str, start: int, end: int) -> bool:
    """Whether a no-break space separates groups of digits."""
    return (
        end - start == 1
        and text[start] in "\u00a0\u202f"
        and text[:start][-1:].isdigit()
        and text[end : end + 1].isdigit()
    )
