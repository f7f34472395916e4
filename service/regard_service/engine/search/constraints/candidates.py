"""What the beams of a request may continue with, before and after a constraint."""

from typing import NamedTuple

import numpy as np

from regard.arrays import BoolArray, Float32Array, Int64Array

BANNED = np.float32(-np.inf)
NO_ID = -1  # fills lists of ids; no token has it


class Candidates(NamedTuple):
    """What the beams of one request may continue with.

    Attributes:
        ids: int64 [beams, candidates].
        scores: float32 [beams, candidates], what search maximizes: log-probabilities with beams, else logits.
        logprobs: float32 [beams, candidates], the model's own.
    """

    ids: Int64Array
    scores: Float32Array
    logprobs: Float32Array

    def best(self, count: int) -> "Candidates":
        """Each beam's `count` best by score, in descending order; of equals, the earlier candidate first."""
        order = np.argsort(-self.scores, axis=1, kind="stable")[:, :count]
        return Candidates(
            np.take_along_axis(self.ids, order, axis=1),
            np.take_along_axis(self.scores, order, axis=1),
            np.take_along_axis(self.logprobs, order, axis=1),
        )

    def only(self, token: int) -> "Candidates":
        """One certain candidate a beam: a forced token adds 0 to the score and has log-probability 0."""
        ids, scores, logprobs = self.ids.copy(), np.full_like(self.scores, BANNED), self.logprobs.copy()
        ids[:, 0], scores[:, 0], logprobs[:, 0] = token, 0.0, 0.0
        return Candidates(ids, scores, logprobs)

    def without(self, banned: Int64Array) -> "Candidates":
        """Bans each beam's listed tokens. Args: banned: int64 [beams, n], filled with NO_ID."""
        return self._replace(scores=np.where(listed(self.ids, banned), BANNED, self.scores))


def listed(ids: Int64Array, lists: Int64Array) -> BoolArray:
    """Whether each id stands in its beam's list: int64 [beams, candidates], int64 [beams, n] -> [beams, candidates]."""
    found: BoolArray = (ids[:, :, None] == lists[:, None, :]).any(axis=2)
    return found
