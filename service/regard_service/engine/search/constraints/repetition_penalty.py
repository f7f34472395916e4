"""Weakens tokens that an output has already (Keskar et al. 2019, CTRL, section 4.1)."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from regard.arrays import BoolArray, Float32Array, Int64Array
from regard_service.engine.search.constraints.candidates import Candidates, listed
from regard_service.engine.search.constraints.constraint import Reach, Vocabulary
from regard_service.generation import Generation


def penalize(scores: Float32Array, where: BoolArray, penalty: float) -> Float32Array:
    """Makes scores worse for a penalty above 1, whatever their sign."""
    factor = np.float32(penalty)
    return np.where(where, np.where(scores < 0, scores * factor, scores / factor), scores)


@dataclass
class RepetitionPenalty:
    """Divides positive scores by a factor, and multiplies negative ones."""

    penalty: float
    _history: Int64Array = field(default_factory=lambda: np.empty((1, 0), np.int64))

    @classmethod
    def of(cls, generation: Generation, vocabulary: Vocabulary) -> Self | None:
        """The constraint of a request; None without one."""
        return None if generation.repetition_penalty == 1.0 else cls(generation.repetition_penalty)

    def follow(self, history: Int64Array) -> Reach:
        """Below 1 the penalty favours repetition: any token of the history may become the best."""
        self._history = history
        return Reach(None if self.penalty < 1.0 else history.shape[1])

    def apply(self, candidates: Candidates) -> Candidates:
        """Penalizes the tokens of each beam, the start token among them, as the reference does."""
        seen = listed(candidates.ids, self._history)
        return candidates._replace(scores=penalize(candidates.scores, seen, self.penalty))
