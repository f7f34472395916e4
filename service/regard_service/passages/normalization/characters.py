"""Characters that look like others, or like nothing, and what stands for them in running text."""

import re
import unicodedata
from collections.abc import Iterator

from regard_service.domain.results import Span

Replacement = tuple[Span, str]
"""A range of a text, and the text in its place."""

_INVISIBLE = re.compile(
    "[\ufeff\u200b\u2060-\u2064\u00ad\u034f\u061c\u180e\u200e\u200f\u202a-\u202e\u2066-\u206f\ufff9-\ufffb"
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]+"
)
_JOINER = re.compile("[\u200c\u200d]+")
_SPACES = re.compile(r"[\s\u0085]+")
_COMBINING = "[\u0300-\u036f\u3099\u309a]"
_COMPATIBLE = re.compile(
    f"(?:[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\ufb00-\ufb06\U0001d400-\U0001d7ff\uff66-\uff9f]{_COMBINING}*+)+"
)
_WIDE_MARKS = re.compile("[\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff5e]")
_EAST_ASIAN = re.compile("[\u2e80-\u2fdf\u3005-\u3007\u3041-\u30ff\u3105-\u312f\u3400-\u9fff\uac00-\ud7af]")
_COMBINED = re.compile(rf"[^\W\d_]{_COMBINING}+|[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?")


def invisible(text: str) -> Iterator[Replacement]:
    """Yields the marks that nobody sees."""
    return ((Span(*match.span()), "") for match in _INVISIBLE.finditer(text))


def joiners(text: str) -> Iterator[Replacement]:
    """Yields the joiners that join nothing."""
    return ((Span(*m.span()), "") for m in _JOINER.finditer(text) if not _joins(text, m.start(), m.end()))


def odd_spaces(text: str) -> Iterator[Replacement]:
    """Yields white space that is more than one space, or another one; not between groups of digits."""
    for match in _SPACES.finditer(text):
        if match[0] != " " and not _is_in_number(text, match.start(), match.end()):
            yield Span(*match.span()), " "


def wide(text: str) -> Iterator[Replacement]:
    """Yields letters and digits of other widths and styles; marks, too, where no East Asian script has them."""
    patterns = [_COMPATIBLE] if _EAST_ASIAN.search(text) else [_COMPATIBLE, _WIDE_MARKS]
    found = (match for pattern in patterns for match in pattern.finditer(text))
    return ((Span(*match.span()), unicodedata.normalize("NFKC", match[0])) for match in found)


def combined(text: str) -> Iterator[Replacement]:
    """Yields letters with accents of their own."""
    return ((Span(*m.span()), unicodedata.normalize("NFC", m[0])) for m in _COMBINED.finditer(text))


def _joins(text: str, start: int, end: int) -> bool:
    """Whether a joiner means something: within an emoji, or in a script that writes with joiners."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if not before:
        return False
    if before == "\ufe0f" or ord(before) >= 0x1F000 or (not before.isascii() and unicodedata.category(before) == "So"):
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
