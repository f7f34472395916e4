"""Beam search over a running batch whose requests are at different steps."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from regard.arrays import BoolArray, Float32Array, Int64Array
from regard_service.engine.search.beam_terms import BeamTerms, Rewind, Steered, allocate
from regard_service.engine.search.constraints.candidates import Candidates
from regard_service.engine.search.constraints.constraint import Vocabulary
from regard_service.engine.search.constraints.constraints import Constraints, is_constrained
from regard_service.engine.search.loops import LoopGuard
from regard_service.engine.search.outcome import Advance, Hypothesis, Prefix
from regard_service.engine.search.prefixes import PrefixTree
from regard_service.engine.search.ranking import NONE, FinishedPool, StoppingRules, length_penalized
from regard_service.engine.search.terms import Guidance, TermPlan
from regard_service.generation import Generation

BANNED_SCORE = np.float32(-1e30)  # of a banned token, while scores are compared


class Continuations(NamedTuple):
    """Running prefixes with one more token, several a row.

    Attributes:
        parents: int64 [rows, n], the beam that is continued.
        tokens: int64 [rows, n].
        scores: float32 [rows, n], the sum of penalized log-probabilities; -inf where there is no continuation.
        logprobs: float32 [rows, n], of the token.
    """

    parents: Int64Array
    tokens: Int64Array
    scores: Float32Array
    logprobs: Float32Array

    def take(self, indices: Int64Array) -> "Continuations":
        """Of each row those at `indices`, int64 [rows, m]."""
        rows = np.arange(len(indices))[:, None]
        return Continuations(
            self.parents[rows, indices],
            self.tokens[rows, indices],
            self.scores[rows, indices],
            self.logprobs[rows, indices],
        )


class BeamSearch:
    """Beam search. Rows without constraints cost no loop.

    A beam is a slot of its request, not a rank: children stay in their parents' slots, so scores are not sorted.
    """

    def __init__(
        self,
        num_beams: int,
        max_requests: int,
        max_target_tokens: int,
        vocab_size: int,
        vocabulary: Vocabulary,
        guidance: Guidance | None = None,
    ) -> None:
        end_ids = vocabulary.end_ids
        if vocab_size <= len(end_ids):
            raise ValueError(f"of {vocab_size} tokens, {len(end_ids)} end the output: no token continues it")
        self.num_beams = num_beams
        # If every beam's best continuations are its end tokens, this many contain `num_beams` others that go on.
        self._num_continuations = num_beams * max(2, 1 + len(end_ids))
        self._vocab_size = vocab_size
        self._vocabulary = vocabulary
        self._guidance = guidance or Guidance()
        self._is_end = np.zeros(vocab_size, np.bool_)
        self._is_end[list(end_ids)] = True
        self._max_target_tokens = max_target_tokens

        self._prefixes = PrefixTree(max_requests, max_target_tokens, num_beams)
        self._pool = FinishedPool(max_requests, num_beams)
        self._rules = StoppingRules(max_requests)
        self._loops = LoopGuard(max_requests)
        self._lengths = np.zeros(max_requests, np.int64)
        self._scores = np.full((max_requests, num_beams), NONE, np.float32)  # of the running beams
        self._finished = np.zeros(max_requests, np.bool_)
        self._needed = np.zeros(max_requests, np.int64)  # candidates, at the next step
        self._shared = np.zeros(max_requests, np.int64)  # tokens known to be committed
        self._num_returned = np.zeros(max_requests, np.int64)
        self._constraints: dict[int, Constraints] = {}  # of the few rows that have any
        self._terms: dict[int, BeamTerms] = {}  # likewise

    def admit(self, row: int, generation: Generation) -> None:
        """Starts a request: one beam with score 0, since all beams are equal at first."""
        if generation.num_beams != self.num_beams:
            raise ValueError(f"the batch has {self.num_beams} beams, the request {generation.num_beams}")
        if generation.num_return_sequences > self.num_beams:
            raise ValueError(f"{generation.num_return_sequences} sequences from {self.num_beams} beams")
        if generation.sampling is not None:
            raise ValueError("beams are not sampled")
        if generation.max_new_tokens > self._max_target_tokens:
            raise ValueError(f"{generation.max_new_tokens} new tokens, the batch holds {self._max_target_tokens}")
        self._rules.set(row, generation)
        self._loops.set(row, generation)
        self._pool.clear(row)
        self._lengths[row] = 0
        self._scores[row] = NONE
        self._scores[row, 0] = 0.0  # all beams are equal at first, so only one may have children
        self._finished[row] = False
        self._shared[row] = 0
        self._num_returned[row] = generation.num_return_sequences
        self._constraints.pop(row, None)
        if is_constrained(generation):
            self._constraints[row] = Constraints(generation, self.num_beams, self._vocabulary)
        self._terms.pop(row, None)
        plan = TermPlan.of(generation, self._vocabulary.end_ids, self._guidance)
        if plan is not None:
            self._terms[row] = BeamTerms(plan, self.num_beams)
        self._count_needed(row)

    def move(self, source_row: int, target_row: int) -> None:
        """Moves a request's beams, finished hypotheses and constraints to another row."""
        for part in (self._prefixes, self._pool, self._rules, self._loops):
            part.move(source_row, target_row)
        for array in (self._lengths, self._scores, self._finished, self._needed, self._shared, self._num_returned):
            array[target_row] = array[source_row]
        held: tuple[dict[int, Any], ...] = (self._constraints, self._terms)
        for each in held:
            each.pop(target_row, None)
            if source_row in each:
                each[target_row] = each.pop(source_row)

    def num_candidates(self, num_live: int) -> int:
        """Two a beam for one end token, more where a row's constraints may ban some."""
        return min(int(self._needed[:num_live].max(initial=1)), self._vocab_size)

    def guided(self, num_live: int) -> list[int]:
        """The live rows whose terms read the attention of the next step."""
        return [row for row in self._terms if row < num_live]

    def advance(
        self,
        num_live: int,
        candidate_logits: Float32Array,
        candidate_ids: Int64Array,
        log_normalizer: Float32Array,
        weights: Float32Array | None = None,
    ) -> Advance:
        """Chooses the `num_beams` best continuations of each row, and sets hypotheses that end aside."""
        shape = (num_live, self.num_beams, candidate_logits.shape[1])
        logprobs = (candidate_logits - log_normalizer[:, None]).reshape(shape)
        steered: dict[int, Steered] = {}
        best = self._best_continuations(candidate_ids.reshape(shape), logprobs, weights, steered)
        again = {row: each.num_taken_back for row, each in steered.items() if each.num_taken_back}

        lengths = self._lengths[:num_live] + 1
        at_limit = lengths >= self._rules.max_new_tokens[:num_live]
        ended = self._is_end[best.tokens] | at_limit[:, None]
        ended[list(again)] = False
        self._keep_ended(best, ended, lengths)
        self._keep_dead_ends(best, lengths, list(again))

        running = self._running(best, ended)
        if again:
            running = self._take_back(running, lengths, steered, again)
        else:
            self._prefixes.extend(lengths - 1, running.tokens, running.parents, running.logprobs)
        self._lengths[:num_live] = lengths
        self._scores[:num_live] = running.scores
        self._extend_constraints(running, again)
        finished = self._rules.finished(lengths, running.scores.max(axis=1), self._pool.scores[:num_live])
        finished[list(again)] = False
        self._finished[:num_live] = finished
        self._limit_loops(lengths)
        return self._to_slots(running, stay=finished | (lengths == 1), again=again)

    def _take_back(
        self, running: Continuations, lengths: Int64Array, steered: Mapping[int, Steered], again: Mapping[int, int]
    ) -> Continuations:
        """Gives the rows in `again` their new last tokens; all else of them stays as it was before the step.

        Args:
            again: by row, how many tokens it takes back.

        Returns:
            what all rows continue with: these rows with what they had. Changes their `lengths`.
        """
        own = np.arange(self.num_beams)
        for row, num_taken_back in again.items():
            lengths[row] -= num_taken_back
            last, rewind = int(lengths[row]) - 1, steered[row].rewind
            if rewind is None:
                self._replace_last(row, last, steered[row].replaced)
            else:
                self._rewind(row, last, rewind)
            running.parents[row], running.scores[row] = own, self._scores[row]
            running.tokens[row] = self._prefixes.tokens[row, last]
        others = np.setdiff1d(np.arange(len(lengths)), list(again))
        tokens, parents = running.tokens[others], running.parents[others]
        self._prefixes.extend(lengths[others] - 1, tokens, parents, running.logprobs[others], others)
        return running

    def _replace_last(self, row: int, last: int, replaced: Mapping[int, int]) -> None:
        """Gives some beams of a row other tokens at its last place."""
        for beam, token in replaced.items():
            self._scores[row, beam] -= self._prefixes.logprobs[row, last, beam]
            self._prefixes.tokens[row, last, beam], self._prefixes.logprobs[row, last, beam] = token, 0.0
        self._scores[row, self._terms[row].replace(replaced)] = NONE

    def _rewind(self, row: int, last: int, rewind: Rewind) -> None:
        """Ends all beams of a row but one, and goes back with that one to a place, where it gets another token."""
        beam, num_taken_back = rewind.beam, rewind.move.num_taken_back
        given_up = self._prefixes.prefix(row, last + num_taken_back, beam, last)
        score = self._scores[row, beam] - given_up.logprobs.sum()
        self._scores[row] = NONE
        self._scores[row, beam] = score
        self._prefixes.tokens[row, last], self._prefixes.logprobs[row, last] = rewind.move.token, 0.0
        self._prefixes.parents[row, last] = given_up.path[0]
        self._terms[row].rewind(rewind)

    def _limit_loops(self, lengths: Int64Array) -> None:
        """Ends rows whose best running beam loops, at the next step. Args: lengths: int64 [live rows]."""
        for row in self._loops.due(lengths):
            length, best = int(lengths[row]), int(self._scores[row].argmax())
            tokens = self._prefixes.prefix(row, length, best).tokens
            if self._loops.end_of(row, tokens) is not None and not self._finished[row]:
                most = int(self._rules.max_new_tokens[row])
                has_unmet = row in self._terms and self._terms[row].has_unmet
                limit = self._terms[row].end_soon(most) if has_unmet else length + 1
                self._rules.max_new_tokens[row] = min(most, limit)

    def hypotheses(self, row: int) -> list[Hypothesis]:
        """The best finished hypotheses."""
        num_kept = int((self._pool.scores[row] > NONE).sum())
        return [self._hypothesis(row, rank) for rank in range(min(num_kept, self._num_returned[row]))]

    def committed(self, row: int, start: int = 0) -> Prefix:
        """The prefix that all running beams and the best finished hypothesis share."""
        if self._finished[row]:
            best = self.hypotheses(row)[0]
            return Prefix(best.tokens[start:], best.logprobs[start:], best.path[start:])
        length, beam = self._shared_prefix(row)
        return self._prefixes.prefix(row, length, beam, start)

    def _best_continuations(
        self, ids: Int64Array, logprobs: Float32Array, weights: Float32Array | None, steered: dict[int, Steered]
    ) -> Continuations:
        """The best continuations of every row over all its beams, in descending order.

        Args:
            ids, logprobs: [rows, beams, candidates], of the candidates, descending.
            weights: of `advance`.
            steered: gets what terms make of their rows.
        """
        width = min(self._num_continuations, ids.shape[2])  # more of one beam never win
        best_ids, best_logprobs = ids[:, :, :width], logprobs[:, :, :width]
        best_scores = best_logprobs
        constrained = {row: c for row, c in self._constraints_of(len(ids)) if c.is_active}
        guided = self.guided(len(ids)) if weights is not None else []
        if constrained or guided:
            best_ids, best_scores, best_logprobs = best_ids.copy(), best_scores.copy(), best_logprobs.copy()
        for row in {*constrained, *guided}:
            candidates = given = Candidates(ids[row], logprobs[row], logprobs[row])
            if row in constrained:
                candidates = constrained[row].apply(candidates)
            if weights is not None and row in guided:
                own = weights[guided.index(row)]
                may_rewind = self._pool.scores[row, 0] == NONE
                steered[row] = self._terms[row].steer(own, candidates, self._scores[row], may_rewind=may_rewind)
                self._scores[row, steered[row].dropped] = NONE
                candidates = steered[row].candidates
            if candidates is not given:
                best_ids[row], best_scores[row], best_logprobs[row] = candidates.best(width)

        flat = (len(ids), self.num_beams * width)
        # A running beam's banned tokens still come before those of a beam that has ended, for `_keep_dead_ends`.
        scores = (np.maximum(best_scores, BANNED_SCORE) + self._scores[: len(ids), :, None]).reshape(flat)
        # Stable, so that ties fall to the lower beam and the better candidate, however many candidates neighbours need.
        order = np.argsort(-scores, axis=1, kind="stable")[:, : self._num_continuations]
        for row, each in steered.items():
            if each.banks is not None:
                order[row] = allocate(scores[row], np.repeat(each.banks, width), order.shape[1])
        rows = np.arange(len(ids))[:, None]
        scores = scores[rows, order]
        scores = np.where(scores > BANNED_SCORE / 2, scores, NONE)
        tokens, taken_logprobs = (values.reshape(flat)[rows, order] for values in (best_ids, best_logprobs))
        return Continuations(order // width, tokens, scores, taken_logprobs)

    def _running(self, best: Continuations, ended: BoolArray) -> Continuations:
        """The best continuations that have not ended, `num_beams` a row, each in its next slot."""
        if not ended.any():
            return best.take(slots_of_children(best.parents[:, : self.num_beams]))
        order = np.argsort(ended, axis=1, kind="stable")[:, : self.num_beams]
        rows = np.arange(len(ended))[:, None]
        order = order[rows, slots_of_children(best.parents[rows, order])]
        return best._replace(scores=np.where(ended, NONE, best.scores)).take(order)

    def _constraints_of(self, num_live: int) -> list[tuple[int, Constraints]]:
        """The live rows that have constraints; entries of rows that were left remain until a request takes the row."""
        return [(row, constraints) for row, constraints in self._constraints.items() if row < num_live]

    def _keep_ended(self, best: Continuations, ended: BoolArray, lengths: Int64Array) -> None:
        """Offers the pool the hypotheses that ended among each row's `num_beams` best; worse ones never win."""
        top = slice(self.num_beams)
        offered = ended[:, top] & (best.scores[:, top] > NONE)
        rows = np.flatnonzero(offered.any(axis=1))
        if rows.size:
            self._offer(rows, np.where(offered[rows], best.scores[rows, top], NONE), best, lengths)

    def _keep_dead_ends(self, best: Continuations, lengths: Int64Array, again: list[int]) -> None:
        """Ends a row's best beam with any token, where constraints ban every token before any hypothesis has ended.

        The caller gets an output, as from the reference's greedy search. Args: again: rows that repeat the step.
        """
        is_dead = (best.scores[:, 0] == NONE) & (self._pool.scores[: len(lengths), 0] == NONE)
        is_dead[again] = False
        rows = np.flatnonzero(is_dead)
        if rows.size:
            before = self._scores[rows[:, None], best.parents[rows, :1]]
            self._offer(rows, before + np.maximum(best.logprobs[rows, :1], BANNED_SCORE), best, lengths)

    def _offer(self, rows: Int64Array, scores: Float32Array, best: Continuations, lengths: Int64Array) -> None:
        """Offers the pool the best continuations of the given rows, with these scores, float32 [rows, n]."""
        top = slice(scores.shape[1])
        self._pool.offer(
            rows,
            scores=length_penalized(scores, lengths[rows, None], self._rules.length_penalty[rows, None]),
            lengths=lengths[rows],
            beams=best.parents[rows, top],
            tokens=best.tokens[rows, top],
            logprobs=best.logprobs[rows, top],
        )

    def _extend_constraints(self, running: Continuations, again: Mapping[int, int]) -> None:
        num_live = len(running.tokens)
        for row, constraints in self._constraints_of(num_live):
            constraints.extend(running.parents[row], running.tokens[row], again.get(row, 0))
            self._count_needed(row)
        for row in self.guided(num_live):
            if row not in again:
                self._terms[row].extend(running.parents[row], running.tokens[row])
            self._count_needed(row)

    def _count_needed(self, row: int) -> None:
        """Counts the candidates that a row needs at its next step."""
        self._needed[row] = self._num_continuations
        if row in self._constraints:
            self._needed[row] += self._constraints[row].num_affected(self._vocab_size)
        if row in self._terms:
            self._needed[row] += self._terms[row].num_spare

    def _to_slots(self, running: Continuations, stay: BoolArray, again: Mapping[int, int]) -> Advance:
        """The step's decision.

        Args:
            stay: rows whose beams keep their states, which are equal or no longer needed.
            again: by row that goes back, how many tokens it takes back.
        """
        num_rows = len(stay)
        slots = np.arange(num_rows * self.num_beams).reshape(num_rows, self.num_beams)
        parents = np.where(stay[:, None], slots, slots[:, :1] + running.parents).reshape(-1)
        moved = bool((parents != slots.reshape(-1)).any())
        taken_back: Int64Array | None = None
        if again:
            taken_back = np.repeat([again.get(row, 0) for row in range(num_rows)], self.num_beams)
        return Advance(running.tokens.reshape(-1), parents, moved, self._finished[:num_rows].copy(), taken_back)

    def _hypothesis(self, row: int, rank: int) -> Hypothesis:
        length, beam = int(self._pool.lengths[row, rank]), int(self._pool.beams[row, rank])
        last = int(self._pool.tokens[row, rank])
        prefix = self._prefixes.prefix(row, length - 1, beam)
        return Hypothesis(
            tokens=np.append(prefix.tokens, last),
            logprobs=np.append(prefix.logprobs, self._pool.logprobs[row, rank]),
            path=np.append(prefix.path, beam),
            score=float(self._pool.scores[row, rank]),
            finish_reason="end" if self._is_end[last] else "length",
        )

    def _shared_prefix(self, row: int) -> tuple[int, int]:
        """Length and a beam of the longest prefix that all running beams and the best finished hypothesis share.

        Hypotheses behind the best cannot win any more. Distinct beams are distinct sequences, so equal prefixes are one
        node of the tree: walk from the leaves until one node is left.
        """
        length = int(self._lengths[row])
        beams = np.flatnonzero(self._scores[row] > NONE)
        best_beam, best_length = int(self._pool.beams[row, 0]), int(self._pool.lengths[row, 0])
        has_finished = self._pool.scores[row, 0] > NONE
        while length > self._shared[row] and (len(beams) > 1 or (has_finished and length >= best_length)):
            length -= 1
            beams = np.unique(self._prefixes.parents[row, length, beams])
            if has_finished and length == best_length - 1:
                beams = np.union1d(beams, best_beam)
        if row in self._terms:
            certain = self._terms[row].num_certain(self._scores[row] > NONE)
            while length > max(certain, self._shared[row]):
                length, beams = length - 1, self._prefixes.parents[row, length - 1, beams[:1]]  # it may be taken back
        self._shared[row] = length
        return length, int(beams[0])


def slots_of_children(parents: Int64Array) -> Int64Array:
    """Arranges each row's children so that the first child of every parent takes the parent's place.

    Args:
        parents: int64 [rows, beams], the parent of each child, best child first.

    Returns:
        int64 [rows, beams]: the child that each slot gets.
    """
    beams = np.arange(parents.shape[1])
    is_earlier = beams < beams[:, None]
    is_first = ~((parents[:, :, None] == parents[:, None, :]) & is_earlier).any(axis=2)
    has_child = (parents[:, :, None] == beams).any(axis=1)
    # As many later children as childless slots: both sorts list these first, the m-th child takes the m-th slot.
    later, childless = np.argsort(is_first, axis=1, kind="stable"), np.argsort(has_child, axis=1, kind="stable")
    slots = np.empty_like(parents)
    slots[np.arange(len(parents))[:, None], later] = childless
    slots = np.where(is_first, parents, slots)
    return np.argsort(slots, axis=1)
