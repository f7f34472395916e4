"""An alternative at a position: one of the best candidates behind the prefix (`return_alternatives` of CTranslate2)."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from regard.arrays import Int64Array
from regard_service.engine.search.constraints.candidates import BANNED, Candidates
from regard_service.engine.search.constraints.constraint import DONE, IDLE, Reach, Vocabulary
from regard_service.generation import Generation


@dataclass
class Alternative:
    """Leaves the candidate of a rank at the first position that nothing forces. Its score stays the model's."""

    rank: int
    position: int

    @classmethod
    def of(cls, generation: Generation, vocabulary: Vocabulary) -> Self | None:
        """The constraint of a request; None without one."""
        if generation.alternative is None:
            return None
        return cls(generation.alternative, len(generation.forced_start))

    def follow(self, history: Int64Array) -> Reach:
        """Counts tokens."""
        num_tokens = history.shape[1] - 1
        if num_tokens != self.position:
            return IDLE if num_tokens < self.position else DONE
        return Reach(self.rank)

    def apply(self, candidates: Candidates) -> Candidates:
        """Bans all candidates but the one of this rank."""
        order = np.argsort(-candidates.scores, axis=1, kind="stable")
        rank = min(self.rank, order.shape[1] - 1)
        scores = np.full_like(candidates.scores, BANNED)
        chosen = order[:, rank : rank + 1]
        np.put_along_axis(scores, chosen, np.take_along_axis(candidates.scores, chosen, axis=1), axis=1)
        return candidates._replace(scores=scores)
