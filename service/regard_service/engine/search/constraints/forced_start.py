"""The tokens that an output must begin with: the model's own, such as a language, and the caller's prefix."""

from dataclasses import dataclass
from typing import Self

from regard.arrays import Int64Array
from regard_service.engine.search.constraints.candidates import Candidates
from regard_service.engine.search.constraints.constraint import DONE, Reach, Vocabulary
from regard_service.generation import Generation


@dataclass
class ForcedStart:
    """Forces one token after the other. A forced token adds 0 to the score and has log-probability 0."""

    tokens: tuple[int, ...]
    _next: int = 0

    @classmethod
    def of(cls, generation: Generation, vocabulary: Vocabulary) -> Self | None:
        """The constraint of a request; None without one."""
        return cls(generation.forced_start) if generation.forced_start else None

    def follow(self, history: Int64Array) -> Reach:
        """Counts tokens."""
        self._next = history.shape[1] - 1
        return Reach() if self._next < len(self.tokens) else DONE

    def apply(self, candidates: Candidates) -> Candidates:
        """Leaves one candidate, which need not be among them."""
        return candidates.only(self.tokens[self._next])
