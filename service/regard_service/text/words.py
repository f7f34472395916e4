"""Groups tokens to words as a reader sees them."""

import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from regard_service.domain.results import Span

_ZERO_WIDTH_JOINER = "\u200d"
_ZERO_WIDTH_NON_JOINER = "\u200c"
_INNER_MARKS = "'\u2019\u00b7.,:"  # apostrophes, the Catalan middle dot, and the marks within numbers
_INNER_NUMBER_MARKS = ",:"
_UNSPACED_SCRIPTS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x312F),  # Han radicals, Hiragana, Katakana, Bopomofo
    (0x31A0, 0xA4CF),  # Han, Yi
    (0xF900, 0xFAFF),  # Han compatibility
    (0xFF66, 0xFF9D),  # half-width Katakana
    (0x20000, 0x3FFFF),  # Han extensions
)


def group_words(text: str, spans: Sequence[tuple[int, int] | None]) -> list[Span]:
    """Groups tokens to words.

    White space separates words. Punctuation stands by itself, except within a word ("don't", "3.5"). A run of one
    punctuation mark ("...") is one word. In scripts without spaces (Chinese, Japanese, Thai, ...) every token is a
    word, since there is no dictionary. A token is never split, and a special token stands by itself.

    Args:
        spans: the part of `text` that each token stands for; None for special tokens. An empty span is part of a
            character that the next token completes.

    Returns:
        ranges of token indexes; together all tokens, in order.
    """
    starts = [index for index in range(len(spans)) if _starts_word(text, spans, index)]
    return [Span(start, end) for start, end in pairwise([*starts, len(spans)])]


def _starts_word(text: str, spans: Sequence[tuple[int, int] | None], index: int) -> bool:
    """Whether a token belongs to another word than the token before it."""
    before, here = spans[index - 1] if index else None, spans[index]
    if before is None or here is None:
        return True
    if before[0] == before[1]:
        return False  # this token completes the character
    if here[0] < before[1]:
        return False  # bytes of one character share its span
    if any(character.isspace() for character in text[before[1] : here[0]]):
        return True
    # Normalization removed all other characters between two tokens, for example a soft hyphen.
    return here[0] < len(text) and _is_boundary(text, before[1] - 1, here[0])


def _is_boundary(text: str, left: int, right: int) -> bool:
    """Whether a word ends with the character at `left` and another starts with the one at `right`.

    A short form of Unicode Standard Annex 29, section 4.1.
    """
    a, b = text[left], text[right]
    if a.isspace() or b.isspace():
        return True
    if _is_extender(b) or a == _ZERO_WIDTH_JOINER:
        return False
    if _is_unspaced(a) or _is_unspaced(b):
        return True
    if _is_of_word(a) and _is_of_word(b):
        return False
    if _is_of_word(a) and _is_inner_mark(text, right):
        return False
    if _is_of_word(b) and _is_inner_mark(text, left):
        return False
    return a != b


def _is_extender(character: str) -> bool:
    """Whether a character, a mark or a joiner, belongs to the character before it."""
    return unicodedata.category(character).startswith("M") or character in (_ZERO_WIDTH_NON_JOINER, _ZERO_WIDTH_JOINER)


def _is_unspaced(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _UNSPACED_SCRIPTS)


def _is_of_word(character: str) -> bool:
    return character.isalnum() or character == "_" or _is_extender(character)


def _is_inner_mark(text: str, position: int) -> bool:
    """Whether a mark stands within a word ("don't", "z.B."); "," and ":" only within numbers."""
    if text[position] not in _INNER_MARKS or not 0 < position < len(text) - 1:
        return False
    a, b = text[position - 1], text[position + 1]
    if text[position] in _INNER_NUMBER_MARKS:
        return a.isdecimal() and b.isdecimal()
    return _is_of_word(a) and _is_of_word(b)
