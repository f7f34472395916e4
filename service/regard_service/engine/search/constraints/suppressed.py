"""Sequences of tokens that an output must not contain (`bad_words_ids` of the reference)."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from regard.arrays import Int64Array
from regard_service.engine.search.constraints.candidates import NO_ID, Candidates
from regard_service.engine.search.constraints.constraint import IDLE, Reach, Vocabulary
from regard_service.generation import Generation


@dataclass
class Suppressed:
    """Bans the last token of each sequence whose other tokens a beam ends with."""

    sequences: tuple[tuple[int, ...], ...]
    _banned: Int64Array = field(default_factory=lambda: np.empty((1, 0), np.int64))

    @classmethod
    def of(cls, generation: Generation, vocabulary: Vocabulary) -> Self | None:
        """The constraint of a request; None without one."""
        return cls(generation.suppressed) if generation.suppressed else None

    def follow(self, history: Int64Array) -> Reach:
        """Sequences of one token are banned at every step."""
        lists = [self._banned_after(tuple(beam)) for beam in history[:, 1:].tolist()]
        width = max(map(len, lists))
        self._banned = np.array([each + [NO_ID] * (width - len(each)) for each in lists], np.int64)
        return Reach(width) if width else IDLE

    def apply(self, candidates: Candidates) -> Candidates:
        """Bans them."""
        return candidates.without(self._banned)

    def _banned_after(self, tokens: tuple[int, ...]) -> list[int]:
        return [each[-1] for each in self.sequences if tokens[len(tokens) - len(each) + 1 :] == each[:-1]]
