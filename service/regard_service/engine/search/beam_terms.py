"""Terms under beam search: dynamic beam allocation (Post and Vilar 2018).

Hypotheses that have the same number of term tokens form a bank. Banks share the beams, so that a hypothesis which takes
a term up competes with its like, and not with those that avoid it. The cost does not grow with the number of terms.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from regard.arrays import BoolArray, Float32Array, Int64Array
from regard_service.engine.search.constraints.candidates import BANNED, Candidates
from regard_service.engine.search.terms import Move, TermPlan, TermState

# Candidates of a beam beyond the usual, where some may not come next: those that end it, or continue the last word.
NUM_SPARE = 8


class Rewind(NamedTuple):
    """A request goes on from one of its beams, which gives up its last tokens; the others end."""

    beam: int
    move: Move


class Steered(NamedTuple):
    """What the terms of a request make of a step.

    Attributes:
        candidates: with new scores.
        replaced: by beam, the token that takes the place of its last one; if there are any, the step comes again.
        rewind: where no beam can go on as it is.
        dropped: beams that cannot be corrected, while others can.
        banks: int64 [beams], term tokens that a continuation of each beam has; None if all have as many.
    """

    candidates: Candidates
    replaced: dict[int, int]
    rewind: Rewind | None
    dropped: list[int]
    banks: Int64Array | None

    @property
    def num_taken_back(self) -> int:
        """Tokens that the request gives up before its next step."""
        if self.rewind is not None:
            return self.rewind.move.num_taken_back
        return int(bool(self.replaced))


class BeamTerms:
    """The terms of a request's beams."""

    def __init__(self, plan: TermPlan, num_beams: int) -> None:
        self._states = [TermState(plan) for _ in range(num_beams)]
        self._next = self._states  # as they are after `steer`
        self._end_ids = plan.end_ids
        self._continues = np.frombuffer(plan.terms.spelling.continues, np.bool_)
        self._keeps_words = plan.terms.keeps_words

    @property
    def num_spare(self) -> int:
        """How many candidates of a beam the next step may ban."""
        return NUM_SPARE if any(state.has_unmet or state.may_ban for state in self._states) else 0

    @property
    def has_unmet(self) -> bool:
        """Whether a beam may still lose its last token."""
        return any(state.has_unmet for state in self._states)

    def num_certain(self, is_live: BoolArray) -> int:
        """Tokens that no beam takes back any more. Args: is_live: bool [beams]."""
        return min(self._states[beam].num_certain for beam in np.flatnonzero(is_live))

    def steer(
        self, weights: Float32Array, candidates: Candidates, running: Float32Array, *, may_rewind: bool = True
    ) -> Steered:
        """Forces and bans tokens.

        Args:
            weights: float32 [beams, source].
            running: float32 [beams], scores of the beams; -inf where there is none.
            may_rewind: whether no hypothesis has ended yet.
        """
        self._next = [state.copy() for state in self._states]
        best = candidates.ids[np.arange(len(running)), candidates.scores.argmax(axis=1)].tolist()
        live = np.flatnonzero(np.isfinite(running)).tolist()
        moves = {beam: self._next[beam].decide(weights[beam], best[beam]) for beam in live}
        ailing = [beam for beam, move in moves.items() if self._is_ailing(beam, move)]
        best_first = sorted(live, key=lambda beam: -running[beam])
        rewind = self._rewind(moves, ailing, best_first) if may_rewind else None
        if may_rewind and rewind is None and len(ailing) == len(live):
            ailing.remove(best_first[0])
        if rewind is not None:
            return Steered(candidates, {}, rewind, [], None)
        kept = {beam: move for beam, move in moves.items() if beam not in ailing}
        return self._steered(candidates, kept)._replace(dropped=ailing)

    def _is_ailing(self, beam: int, move: Move | None) -> bool:
        """Whether a beam cannot go on while others repeat a step."""
        return self._next[beam].is_faulty or (move is not None and move.num_taken_back > 1)

    def _rewind(self, moves: Mapping[int, Move | None], ailing: list[int], best_first: list[int]) -> Rewind | None:
        """Corrects the best beam, if it is ailing; if all are, the best that can be corrected."""
        chosen = best_first if len(ailing) == len(moves) else best_first[:1]
        corrections = ((beam, moves[beam]) for beam in chosen if beam in ailing)
        return next((Rewind(beam, move) for beam, move in corrections if move and move.num_taken_back), None)

    def _steered(self, candidates: Candidates, moves: Mapping[int, Move | None]) -> Steered:
        """Forces the moves of beams, and bans what their terms do not allow."""
        banks = np.zeros(len(candidates.ids), np.int64)
        replaced: dict[int, int] = {}
        forced: dict[int, int] = {}
        banned: dict[int, BoolArray] = {}
        for beam, decided in moves.items():
            state, move = self._next[beam], decided
            if move is None:
                mask = self._banned(state, candidates.ids[beam])
                is_stuck = bool((mask | (candidates.scores[beam] == BANNED)).all())
                move = state.go_on() if is_stuck else None
                banned.update({} if is_stuck or not mask.any() else {beam: mask})
            banks[beam] = state.num_met + (move is not None)
            if move is not None:
                (replaced if move.num_taken_back else forced)[beam] = move.token
        has_banks = len({int(banks[beam]) for beam in moves}) > 1
        return Steered(_changed(candidates, forced, banned), replaced, None, [], banks if has_banks else None)

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
        beams, states = parents.tolist(), self._next
        made = [states[p].copy() if p in beams[:i] else states[p] for i, p in enumerate(beams)]  # one needs no copy
        for state, token in zip(made, tokens.tolist(), strict=True):
            state.take(0, token)
        self._states = self._next = made

    def replace(self, replaced: Mapping[int, int]) -> list[int]:
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

    def rewind(self, to: Rewind) -> None:
        """Takes over that all beams but one end, and that one gives up its last tokens."""
        state = self._next[to.beam]
        state.take(*to.move)
        self._states = self._next = [state] * len(self._states)

    def _banned(self, state: TermState, ids: Int64Array) -> BoolArray:
        """Which tokens may not come next; bool, as many."""
        unwanted = (*(self._end_ids if state.has_unmet else ()), *state.unwanted)
        banned = np.zeros(len(ids), np.bool_)
        if (state.is_fresh or state.is_whole) and self._keeps_words:
            banned |= self._continues[np.minimum(ids, len(self._continues) - 1)] & (ids < len(self._continues))
            unwanted = (*unwanted, state.begun) if state.is_fresh else unwanted
        for token in unwanted:
            banned |= ids == token
        return banned


def _changed(candidates: Candidates, forced: Mapping[int, int], banned: Mapping[int, BoolArray]) -> Candidates:
    """The candidates themselves, if nothing is forced and nothing banned.

    Args:
        forced: by beam, its only token.
        banned: by beam, bool [candidates].
    """
    if not (forced or banned):
        return candidates
    ids, scores, logprobs = candidates.ids.copy(), candidates.scores.copy(), candidates.logprobs.copy()
    for beam, mask in banned.items():
        scores[beam, mask] = BANNED
    for beam, token in forced.items():
        scores[beam] = BANNED
        ids[beam, 0], scores[beam, 0], logprobs[beam, 0] = token, 0.0, 0.0
    return Candidates(ids, scores, logprobs)


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
