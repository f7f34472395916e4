"""Constraints on the next token, from a request's tokens so far. Semantics: `transformers` logits processors.

The step graph returns only the best candidates, so a constraint says beforehand how many of them it may ban or
penalize, and the search asks for that many more.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from regard.arrays import BoolArray, Float32Array, Int64Array
from regard_service.generation import Generation

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


def listed(ids: Int64Array, lists: Int64Array) -> BoolArray:
    """Whether each id stands in its beam's list: int64 [beams, candidates], int64 [beams, n] -> [beams, candidates]."""
    found: BoolArray = (ids[:, :, None] == lists[:, None, :]).any(axis=2)
    return found


def repeating_ids(history: Int64Array, ngram_size: int) -> Int64Array:
    """The tokens that would complete an n-gram which a beam has already (Paulus et al. 2017, section 2.5).

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


def penalize(scores: Float32Array, where: BoolArray, penalty: float) -> Float32Array:
    """Makes scores worse for a penalty above 1, whatever their sign (Keskar et al. 2019, CTRL, section 4.1)."""
    factor = np.float32(penalty)
    return np.where(where, np.where(scores < 0, scores * factor, scores / factor), scores)


def is_constrained(generation: Generation) -> bool:
    """Whether a request needs `Constraints`; most do not."""
    return (
        generation.min_new_tokens > 0
        or generation.no_repeat_ngram_size > 0
        or generation.repetition_penalty != 1.0
        or generation.forced_first_id is not None
    )


class Constraints:
    """One request's constraints, and the tokens of its beams, from which they follow."""

    def __init__(self, generation: Generation, num_beams: int, start_id: int, end_ids: Sequence[int]) -> None:
        self._generation = generation
        self._history = np.full((num_beams, 1), start_id, np.int64)  # [beams, 1 + tokens]
        self._end_ids = np.asarray(end_ids, np.int64)
        self._banned = self._banned_ids()

    @property
    def is_active(self) -> bool:
        """Whether the constraints change the next step's candidates; most n-grams do not repeat."""
        return self._banned.size > 0 or self._generation.repetition_penalty != 1.0 or self._forced_id is not None

    def num_affected(self, vocab_size: int) -> int:
        """How many of a beam's candidates the next step may ban or penalize: the step must return that many more."""
        penalty = self._generation.repetition_penalty
        if penalty < 1.0:
            return vocab_size  # it favours repetition: any token of the history may become the best
        num_banned: int = self._banned.shape[1]
        return num_banned + (self._history.shape[1] if penalty > 1.0 else 0)

    def apply(self, candidates: Candidates) -> Candidates:
        """The candidates with new scores, in the reference's order: penalty, bans, forced token."""
        if self._forced_id is not None:
            return _only(self._forced_id, candidates)
        scores = candidates.scores
        if self._generation.repetition_penalty != 1.0:
            scores = penalize(scores, listed(candidates.ids, self._history), self._generation.repetition_penalty)
        if self._banned.size:
            scores = np.where(listed(candidates.ids, self._banned), BANNED, scores)
        return candidates._replace(scores=scores)

    def extend(self, parents: Int64Array, tokens: Int64Array) -> None:
        """Takes over a step's choice: both int64 [beams]; beam b continues beam `parents[b]` of this request."""
        self._history = np.concatenate([self._history[parents], tokens[:, None]], axis=1)
        self._banned = self._banned_ids()

    @property
    def _forced_id(self) -> int | None:
        """The token that must come next; None if any may."""
        return self._generation.forced_first_id if self._history.shape[1] == 1 else None

    def _banned_ids(self) -> Int64Array:
        """The tokens that no beam may take next: int64 [beams, n], filled with NO_ID."""
        num_beams, num_tokens = self._history.shape
        banned = []
        if self._generation.no_repeat_ngram_size > 0:
            banned.append(repeating_ids(self._history, self._generation.no_repeat_ngram_size))
        if num_tokens - 1 < self._generation.min_new_tokens:
            banned.append(np.broadcast_to(self._end_ids, (num_beams, len(self._end_ids))))
        return np.concatenate(banned, axis=1) if banned else np.empty((num_beams, 0), np.int64)


def _only(forced_id: int, candidates: Candidates) -> Candidates:
    """One certain candidate a beam: a forced token adds 0 to the score and has log-probability 0."""
    ids, scores, logprobs = candidates.ids.copy(), np.full_like(candidates.scores, BANNED), candidates.logprobs.copy()
    ids[:, 0], scores[:, 0], logprobs[:, 0] = forced_id, 0.0, 0.0
    return Candidates(ids, scores, logprobs)
