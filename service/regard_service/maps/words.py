"""From tokens to words: which tokens a reader sees as one word, and maps between words."""

import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np

from regard.arrays import Float32Array, Int64Array

_ZERO_WIDTH_JOINER = "\u200d"
_INNER_MARKS = "'\u2019\u00b7.,:"  # apostrophes, the Catalan middle dot, and what numbers have
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


class Range(NamedTuple):
    """Half-open range [start, end) of indexes."""

    start: int
    end: int


class HasRange(Protocol):
    """Anything with a half-open range, such as a `Range` or the domain's `Span`."""

    @property
    def start(self) -> int:
        """First index."""

    @property
    def end(self) -> int:
        """First index behind."""


def merge_words(
    values: Float32Array, targets: Sequence[HasRange] | None, sources: Sequence[HasRange] | None
) -> Float32Array:
    """Merges a map between tokens to one between words.

    Weights are summed over a source word's tokens, since a word is attended to by as much as its parts are, and
    averaged over a target word's, so that rows still sum to 1.

    Args:
        values: float32 [..., target, source].
        targets, sources: each word's tokens; together they are all tokens of the axis, in order. None leaves the
            axis as it is.

    Returns:
        float32 [..., target words, source words].
    """
    if sources is not None:
        values = np.add.reduceat(values, _starts(sources), axis=-1)
    if targets is not None:
        sizes = np.array([word.end - word.start for word in targets], np.float32)
        values = np.add.reduceat(values, _starts(targets), axis=-2)  # a new array
        values /= sizes[:, None]
    return values


def merge_read_words(values: Float32Array, words: Sequence[HasRange]) -> Float32Array:
    """Merges decoder self-attention, whose columns are what had been read: the start, then all tokens but the last.

    Args:
        values: float32 [..., target, target].

    Returns:
        float32 [..., words, 1 + words]: column 0 is the decoder's start, column w + 1 what had been read of word w.
    """
    never_read = np.zeros((*values.shape[:-1], 1), np.float32)
    columns = [Range(0, 1), *(Range(word.start + 1, word.end + 1) for word in words)]
    return merge_words(np.concatenate([values, never_read], axis=-1), words, columns)


def group_words(text: str, spans: Sequence[tuple[int, int] | None]) -> list[Range]:
    """Groups tokens to words.

    White space bounds words, and punctuation stands for itself, but not within a word ("don't", "3.5"). A run of one
    punctuation mark ("...") is one word. Where a script has no spaces (Chinese, Japanese, Thai, ...) every token is a
    word, for want of a dictionary. A token never breaks, whatever it holds, and a special token stands for itself.

    Args:
        spans: the part of `text` that each token stands for; None for special tokens. An empty span is part of a
            character that the next token completes.

    Returns:
        ranges of token indexes; together all tokens, in order.
    """
    starts = [index for index in range(len(spans)) if _starts_word(text, spans, index)]
    return [Range(start, end) for start, end in pairwise([*starts, len(spans)])]


def _starts(words: Sequence[HasRange]) -> Int64Array:
    return np.array([word.start for word in words], np.int64)


def _starts_word(text: str, spans: Sequence[tuple[int, int] | None], index: int) -> bool:
    """Whether a token belongs to another word than the one before it."""
    before, here = spans[index - 1] if index else None, spans[index]
    if before is None or here is None:
        return True
    if before[0] == before[1]:
        return False  # it completes that token
    if here[0] < before[1]:
        return False  # bytes of one character share its span
    if any(character.isspace() for character in text[before[1] : here[0]]):
        return True
    # What lies between without being white space is what normalization dropped, a soft hyphen perhaps.
    return here[0] < len(text) and _bounds(text, before[1] - 1, here[0])


def _bounds(text: str, left: int, right: int) -> bool:
    """Whether a word ends with the character at `left` and another starts with the one at `right`.

    A short form of Unicode Standard Annex 29, section 4.1.
    """
    a, b = text[left], text[right]
    if a.isspace() or b.isspace():
        return True
    if _extends(b) or a == _ZERO_WIDTH_JOINER:
        return False
    if _is_unspaced(a) or _is_unspaced(b):
        return True
    if _is_of_word(a) and _is_of_word(b):
        return False
    if _is_of_word(a) and _is_inner(text, right):
        return False
    if _is_of_word(b) and _is_inner(text, left):
        return False
    return a != b


def _extends(character: str) -> bool:
    """Marks and joiners belong to what stands before them."""
    return unicodedata.category(character).startswith("M") or character in ("\u200c", _ZERO_WIDTH_JOINER)


def _is_unspaced(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _UNSPACED_SCRIPTS)


def _is_of_word(character: str) -> bool:
    return character.isalnum() or character == "_" or _extends(character)


def _is_inner(text: str, position: int) -> bool:
    """Whether a mark stands within a word: "don't" and "z.B.", but "," and ":" only within numbers."""
    if text[position] not in _INNER_MARKS or not 0 < position < len(text) - 1:
        return False
    a, b = text[position - 1], text[position + 1]
    if text[position] in _INNER_NUMBER_MARKS:
        return a.isdecimal() and b.isdecimal()
    return _is_of_word(a) and _is_of_word(b)
