"""A prefix that an output is drawn to, without being forced (`prefix_bias_beta` of CTranslate2)."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from regard.arrays import BoolArray, Int64Array
from regard_service.engine.search.constraints.candidates import Candidates
from regard_service.engine.search.constraints.constraint import DONE, Reach, Vocabulary
from regard_service.generation import Generation

# Candidates of a step. Of a token that is not among them the probability is below that of the last, and counts as that.
NUM_CANDIDATES = 32


@dataclass
class BiasedStart:
    """While a beam has begun with the prefix, its next token gets probability: p becomes (1 - bias) p + bias for that
    token, and (1 - bias) p for all others. A beam that has left the prefix goes on freely.
    """

    tokens: tuple[int, ...]
    bias: float
    position: int = 0
    _next: int = 0
    _follows: BoolArray = field(default_factory=lambda: np.ones(1, np.bool_))

    @classmethod
    def of(cls, generation: Generation, vocabulary: Vocabulary) -> Self | None:
        """The constraint of a request; None without one."""
        if not generation.biased_start:
            return None
        return cls(generation.biased_start, generation.start_bias, len(generation.forced_start))

    def follow(self, history: Int64Array) -> Reach:
        """Which beams have begun with the prefix."""
        begun = history[:, 1 + self.position :][:, : len(self.tokens)]
        self._follows = (begun == np.array(self.tokens[: begun.shape[1]], np.int64)).all(axis=1)
        if begun.shape[1] == len(self.tokens) or not self._follows.any():
            return DONE
        self._next = begun.shape[1]
        return Reach(NUM_CANDIDATES)

    def apply(self, candidates: Candidates) -> Candidates:
        """Mixes the distribution with the prefix."""
        token, last = self.tokens[self._next], min(NUM_CANDIDATES, candidates.ids.shape[1]) - 1
        ids, logprobs = candidates.ids.copy(), candidates.logprobs
        missing = self._follows & ~(ids[:, : last + 1] == token).any(axis=1)
        ids[missing, last] = token
        drawn = np.log((1 - self.bias) * np.exp(logprobs) + self.bias)
        # Greedy search compares logits, which differ from log-probabilities by one number a beam.
        normalizer = candidates.scores[:, :1] - logprobs[:, :1]
        biased = np.where(ids == token, drawn + normalizer, candidates.scores + np.log1p(-self.bias))
        return Candidates(ids, np.where(self._follows[:, None], biased, candidates.scores).astype(np.float32), logprobs)
