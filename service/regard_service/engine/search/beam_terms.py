"""Terms under beam search: dynamic beam allocation (Post and Vilar 2018).

Hypotheses that have the same number of term tokens form a bank. Banks share the beams, so that a hypothesis which takes
a term up competes with its like, and not with those that avoid it. The cost does not grow with the number of terms.
"""

from typing import NamedTuple

import numpy as np

from regard.arrays import BoolArray, Float32Array, Int64Array
from regard_service.engine.search.constraints.candidates import BANNED, Candidates
from regard_service.engine.search.terms import TermPlan, TermState

# Candidates of a beam beyond the usual, where some may not come next: those that end it, or continue the last word.
NUM_SPARE = 8


class Steered(NamedTuple):
    """What the terms of a request make of a step.

    Attributes:
        candidates: with new scores.
        replaced: by beam, the token that takes the place of its last one; if there are any, the step comes again.
        dropped: beams that cannot be corrected, while others can.
        banks: int64 [beams], term tokens that a continuation of each beam has.
    """

    candidates: Candidates
    replaced: dict[int, int]
    dropped: list[int]
    banks: Int64Array


class BeamTerms:
    """The terms of a request's beams."""

    def __init__(self, plan: TermPlan, num_beams: int) -> None:
        self._states = [TermState(plan) for _ in range(num_beams)]
        self._next = self._states  # as they are after `steer`
        self._end_ids = np.array(sorted(plan.end_ids), np.int64)
        self._continues = np.frombuffer(plan.terms.spelling.continues, np.bool_)
        self._keeps_words = plan.terms.keeps_words

    @property
    def num_spare(self) -> int:
        """How many candidates of a beam the next step may ban."""
        return NUM_SPARE if any(state.has_unmet or state.is_fresh for state in self._states) else 0

    @property
    def has_unmet(self) -> bool:
        """Whether a beam may still lose its last token."""
        return any(state.has_unmet for state in self._states)

    def steer(self, weights: Float32Array, candidates: Candidates, is_live: BoolArray) -> Steered:
        """Forces and bans tokens.

        Args:
            weights: float32 [beams, source].
            is_live: bool [beams].
        """
        self._next = [state.copy() for state in self._states]
        ids, scores, logprobs = candidates.ids.copy(), candidates.scores.copy(), candidates.logprobs.copy()
        best = ids[np.arange(len(ids)), scores.argmax(axis=1)].tolist()
        banks = np.zeros(len(ids), np.int64)
        replaced: dict[int, int] = {}
        too_long: list[int] = []
        faulty: list[int] = []
        for beam in np.flatnonzero(is_live).tolist():
            state = self._next[beam]
            move = state.decide(weights[beam], best[beam])
            if state.is_faulty:
                faulty.append(beam)
            if move is None:
                scores[beam, self._is_banned(state, ids[beam])] = BANNED
                move = state.go_on() if (scores[beam] == BANNED).all() else None
            banks[beam] = state.num_met + (move is not None)
            if move is not None and move.num_taken_back:
                replaced[beam] = move.token
                too_long += [beam] * (move.num_taken_back > 1)
            elif move is not None:
                scores[beam] = BANNED
                ids[beam, 0], scores[beam, 0], logprobs[beam, 0] = move.token, 0.0, 0.0
        faulty = list(dict.fromkeys([*faulty, *too_long]))
        dropped = faulty if len(faulty) < int(is_live.sum()) else faulty[:-1]
        replaced = {beam: token for beam, token in replaced.items() if beam not in dropped}
        return Steered(Candidates(ids, scores, logprobs), replaced, dropped, banks)

    def end_soon(self, most: int) -> int:
        """Writes what is missing at once in every beam.

        Args:
            most: tokens that the output may have.

        Returns:
            how long the output may get.
        """
        limit = min(most, max(state.least_length for state in self._states))
        for state in self._states:
            state.end_soon(limit)
        return limit

    def extend(self, parents: Int64Array, tokens: Int64Array) -> None:
        """Takes over a step's choice, as `Constraints.extend`."""
        chosen = zip(parents.tolist(), tokens.tolist(), strict=True)
        made = [(self._next[parent].copy(), token) for parent, token in chosen]
        for state, token in made:
            state.take(0, token)
        self._states = self._next = [state for state, _ in made]

    def replace(self, replaced: dict[int, int]) -> list[int]:
        """Takes over what replaces last tokens; the other beams repeat the step. Returns beams that are equal to others
        now.
        """
        for beam, token in replaced.items():
            self._next[beam].take(1, token)
            self._states[beam] = self._next[beam]
        seen: set[tuple[int, ...]] = set()
        equal = []
        for beam in replaced:
            tokens = tuple(self._states[beam].tokens)
            if tokens in seen:
                equal.append(beam)
            seen.add(tokens)
        return equal

    def _is_banned(self, state: TermState, ids: Int64Array) -> BoolArray:
        banned = np.zeros(len(ids), np.bool_)
        if state.has_unmet:
            banned |= np.isin(ids, self._end_ids)
        if (state.is_fresh or state.is_whole) and self._keeps_words:
            banned |= self._continues[np.minimum(ids, len(self._continues) - 1)] & (ids < len(self._continues))
        if state.is_fresh and self._keeps_words:
            banned |= ids == state.begun
        return banned


def allocate(scores: Float32Array, banks: Int64Array, count: int) -> Int64Array:
    """Shares places among banks: the best of each bank, then the second of each, and so on; fuller banks first.

    Args:
        scores: float32 [continuations]; -inf where there is none.
        banks: int64 [continuations].

    Returns:
        int64 [count], indexes.
    """
    order = np.argsort(-scores, kind="stable")
    ranks = np.zeros(len(scores), np.int64)
    for bank in np.unique(banks):
        of_bank = order[banks[order] == bank]
        ranks[of_bank] = np.arange(len(of_bank))
    missing = np.isneginf(scores)
    found: Int64Array = np.lexsort((-banks, ranks, missing))[:count]
    return found
