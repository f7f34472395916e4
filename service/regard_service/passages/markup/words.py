"""Cuts a text into what tags go around as a whole: words, numbers, and marks of punctuation by themselves."""

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from regard_service.domain.results import Span

_Class = Literal["space", "letter", "character", "joined", "inner", "mark"]

_JOINED = frozenset("\u200c\u200d\u00ad\u2060") | {chr(code) for code in range(0x1F3FB, 0x1F400)}
_INNER = frozenset("'’.,:@&·")
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)  # fmt: skip
"""Thai, Lao, Burmese, Khmer, kana and Han: scripts without blanks between words."""


def words(text: str) -> list[Span]:
    """Returns the words and marks of a text; together all of it but the white space.

    A word may hold marks between its letters or digits: "don't", "3.50"; an ordinal has its full stop: "15. März".
    Parts between hyphens are words: of "Salesforce-Konto", a tag may go around the first. Each character of a script
    without blanks is a word.
    """
    spans: list[Span] = []
    before: _Class = "space"
    for index, character in enumerate(text):
        kind = _class(character)
        if kind == "inner":
            is_inside = before == "letter" and index + 1 < len(text) and _class(text[index + 1]) == "letter"
            kind = "letter" if is_inside or _is_ordinal(text, index) else "mark"
        if kind == "space":
            before = kind
        elif spans and spans[-1].end == index and (kind == "joined" or (kind == before == "letter")):
            spans[-1] = Span(spans[-1].start, index + 1)
        else:
            spans.append(Span(index, index + 1))
            before = "letter" if kind == "joined" else kind
    return spans


def _is_ordinal(text: str, index: int) -> bool:
    """Whether a full stop is that of an ordinal within a sentence, as in "15. März"."""
    after = text[index + 1 : index + 3]
    return text[index] == "." and text[max(0, index - 1) : index].isdigit() and after[:1] == " " and after[1:].isalpha()


@lru_cache(maxsize=4096)
def _class(character: str) -> _Class:
    if character.isspace():
        return "space"
    if character in _JOINED or unicodedata.category(character)[0] == "M":
        return "joined"
    if character in _INNER:
        return "inner"
    if not character.isalnum():
        return "mark"
    return "character" if any(first <= ord(character) <= last for first, last in _UNSPACED) else "letter"


def is_mark(text: str) -> bool:
    """Whether a word is punctuation or a symbol."""
    return not any(character.isalnum() for character in text)


def covered(spans: Sequence[Span], start: int, end: int) -> range:
    """Returns the indexes of the words that a range of the text overlaps; of the next word, if it overlaps none."""
    first = bisect_right(spans, start, key=lambda span: span.end)
    return range(first, max(first, bisect_left(spans, end, key=lambda span: span.start)))
