"""No output ends before it has a number of tokens."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from regard.arrays import Int64Array
from regard_service.engine.search.constraints.candidates import Candidates
from regard_service.engine.search.constraints.constraint import DONE, Reach, Vocabulary
from regard_service.generation import Generation


@dataclass
class MinLength:
    """Bans the tokens that end an output until there are `min_new_tokens` others."""

    min_new_tokens: int
    end_ids: Int64Array

    @classmethod
    def of(cls, generation: Generation, vocabulary: Vocabulary) -> Self | None:
        """The constraint of a request; None without one."""
        if generation.min_new_tokens <= 0:
            return None
        return cls(generation.min_new_tokens, np.asarray(vocabulary.end_ids, np.int64))

    def follow(self, history: Int64Array) -> Reach:
        """Counts tokens."""
        return Reach(len(self.end_ids)) if history.shape[1] - 1 < self.min_new_tokens else DONE

    def apply(self, candidates: Candidates) -> Candidates:
        """Bans the end."""
        return candidates.without(self.end_ids[None])
