"""What speaks for an edge of a pair of tags between two words of the target."""

from collections.abc import Sequence

import numpy as np

from regard.arrays import Float32Array
from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.markup.words import is_mark

# As a share of a word's weight; chosen with those of `affinity`.
SAME_MARK = 0.35
CAPITAL = 0.55
SHORT = 0.55
HYPHEN = 0.4

_SHORT_LENGTH = 3
_HYPHENS = frozenset("-\N{NON-BREAKING HYPHEN}_/")
_LIKE = (
    dict.fromkeys("\"'“”„«»‘’‚‹›", '"')
    | dict.fromkeys("–—", "-")
    | {"：": ":", "。": ".", "，": ",", "、": ","}  # of other scripts
)
_START, _WORD, _CAPITAL = "", "word", "Word"


class Edges:
    """Compares the words around an edge in the source and in the target.

    An edge beside a mark of punctuation, or at the start or end of the sentence, is likely beside the same there. A
    pair whose first word has a capital likely starts with one. A short word, such as an article or a preposition, is
    likely outside, unless the pair has one at this edge in the source. Parts between hyphens likely stay together.
    """

    def __init__(self, aligned: AlignedText, source: Sequence[Span], target: Sequence[Span]) -> None:
        source_words = [aligned.source[slice(*span)] for span in source]
        target_words = [aligned.target[slice(*span)] for span in target]
        self._source = np.array([_START, *map(_kind, source_words), _START])
        self._target = np.array([_START, *map(_kind, target_words), _START])
        self._is_short_source = np.array([False, *map(_is_short, source_words), False])
        self._is_short_target = np.array([False, *map(_is_short, target_words), False])
        self._hyphens = np.zeros(len(target) + 1, np.float32)
        for edge in range(1, len(target)):
            is_joined = target[edge - 1].end == target[edge].start
            is_hyphen = target_words[edge - 1] in _HYPHENS or target_words[edge] in _HYPHENS
            self._hyphens[edge] = HYPHEN * (is_joined and is_hyphen)

    def bonuses(self, words: range) -> tuple[Float32Array, Float32Array]:
        """Returns what each start, and each end, of a pair is worth: float32 [target words + 1].

        Args:
            words: those of the source that the pair goes around.
        """
        if not words:
            return -self._hyphens, -self._hyphens
        starts = self._same_marks(words.start) - self._hyphens
        ends = self._same_marks(words.stop) - self._hyphens
        if self._source[words.start + 1] == _CAPITAL:
            starts += np.float32(CAPITAL) * ((self._target[1:] == _CAPITAL) & ~self._is_short_target[1:])
        if not self._is_short_source[words.start + 1]:
            starts -= np.float32(SHORT) * self._is_short_target[1:]
        if not self._is_short_source[words.stop]:
            ends -= np.float32(SHORT) * self._is_short_target[:-1]
        return starts, ends

    def _same_marks(self, edge: int) -> Float32Array:
        """Returns for each edge of the target on how many sides the same mark stands as at an edge of the source."""
        values = np.zeros(len(self._target) - 1, np.float32)
        for side, there in ((self._target[:-1], self._source[edge]), (self._target[1:], self._source[edge + 1])):
            if there not in (_WORD, _CAPITAL):
                values += SAME_MARK * (side == there)
        return values


def _kind(word: str) -> str:
    """Returns a mark, or what kind of word it is."""
    if is_mark(word):
        return _LIKE.get(word, word)
    return _CAPITAL if word[0].isupper() else _WORD


def _is_short(word: str) -> bool:
    return len(word) <= _SHORT_LENGTH and not is_mark(word) and not word[0].isdigit()
