"""No n-gram occurs twice in an output (Paulus et al. 2017, section 2.5)."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from regard.arrays import Int64Array
from regard_service.engine.search.constraints.candidates import NO_ID, Candidates
from regard_service.engine.search.constraints.constraint import IDLE, Reach, Vocabulary
from regard_service.generation import Generation


def repeating_ids(history: Int64Array, ngram_size: int) -> Int64Array:
    """The tokens that would complete an n-gram which a beam has already.

    Args:
        history: int64 [beams, tokens].

    Returns:
        int64 [beams, n]; shorter lists are filled with NO_ID.
    """
    num_beams, num_tokens = history.shape
    if num_tokens < ngram_size:
        return np.empty((num_beams, 0), np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(history, ngram_size, axis=1)  # [beams, windows, ngram_size]
    suffix = history[:, num_tokens - ngram_size + 1 :]  # [beams, ngram_size - 1]
    repeats = (windows[:, :, :-1] == suffix[:, None, :]).all(axis=2)
    lasts = np.where(repeats, windows[:, :, -1], NO_ID)
    return lasts[:, repeats.any(axis=0)]


@dataclass
class NoRepeatNgram:
    """Bans the tokens that would complete a known n-gram."""

    size: int
    _banned: Int64Array = field(default_factory=lambda: np.empty((1, 0), np.int64))

    @classmethod
    def of(cls, generation: Generation, vocabulary: Vocabulary) -> Self | None:
        """The constraint of a request; None without one."""
        return cls(generation.no_repeat_ngram_size) if generation.no_repeat_ngram_size > 0 else None

    def follow(self, history: Int64Array) -> Reach:
        """Most n-grams do not repeat."""
        self._banned = repeating_ids(history, self.size)
        return Reach(self._banned.shape[1]) if self._banned.size else IDLE

    def apply(self, candidates: Candidates) -> Candidates:
        """Bans them."""
        return candidates.without(self._banned)
