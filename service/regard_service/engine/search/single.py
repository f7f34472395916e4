"""One hypothesis a request: each step takes the best token (greedy) or draws one (sampling); both may share a batch."""

from collections.abc import Sequence

import numpy as np

from regard.arrays import BoolArray, Float32Array, Int64Array
from regard_service.engine.search.constraints import BANNED, Candidates, Constraints, is_constrained
from regard_service.engine.search.loops import LoopGuard
from regard_service.engine.search.outcome import Advance, Hypothesis, Prefix, Taken
from regard_service.engine.search.sampling import draw, probabilities
from regard_service.generation import Generation


class Chooser:
    """Chooses the tokens of a request that has constraints or draws."""

    def __init__(self, generation: Generation, start_id: int, end_ids: Sequence[int]) -> None:
        self._sampling = generation.sampling
        self._constraints = Constraints(generation, 1, start_id, end_ids) if is_constrained(generation) else None
        self._generator = np.random.default_rng(generation.sampling.seed if generation.sampling else None)

    def num_needed(self, vocab_size: int) -> int:
        """How many candidates the next step must return for `choose`."""
        affected = 0 if self._constraints is None else self._constraints.num_affected(vocab_size)
        if self._sampling is None:
            return 1 + affected
        return (self._sampling.top_k or vocab_size) + affected

    def choose(self, candidates: Candidates) -> tuple[int, float]:
        """The next token and its log-probability.

        Args:
            candidates: of one beam, with logits as scores, descending.
        """
        if self._constraints is not None:
            candidates = self._constraints.apply(candidates)
        index = int(candidates.scores[0].argmax())
        # Where every token is banned none can be drawn, and any token goes on, as in the reference's greedy search.
        if self._sampling is not None and candidates.scores[0, index] > BANNED:
            candidates = candidates.best(candidates.ids.shape[1])
            index = draw(probabilities(candidates.scores[0], self._sampling), self._generator)
        if self._constraints is not None:
            self._constraints.extend(np.zeros(1, np.int64), candidates.ids[:, index])
        return int(candidates.ids[0, index]), float(candidates.logprobs[0, index])


class SingleSearch:
    """Greedy search and sampling. Rows without constraints and sampling cost no loop."""

    num_beams = 1

    def __init__(
        self, max_requests: int, max_target_tokens: int, vocab_size: int, start_id: int, end_ids: Sequence[int]
    ) -> None:
        self._vocab_size = vocab_size
        self._start_id = start_id
        self._end_ids = tuple(end_ids)
        self._is_end = np.zeros(vocab_size, np.bool_)
        self._is_end[list(end_ids)] = True
        self._tokens = np.zeros((max_requests, max_target_tokens), np.int64)
        self._logprobs = np.zeros((max_requests, max_target_tokens), np.float32)
        self._lengths = np.zeros(max_requests, np.int64)
        self._max_new_tokens = np.zeros(max_requests, np.int64)
        self._loops = LoopGuard(max_requests)
        self._needed = np.ones(max_requests, np.int64)  # candidates, at the next step
        self._choosers: dict[int, Chooser] = {}  # of the rows that have constraints or draw

    def admit(self, row: int, generation: Generation) -> None:
        """Starts a request; one with constraints or sampling gets a `Chooser`."""
        if generation.num_beams != 1 or generation.num_return_sequences != 1:
            raise ValueError(f"a batch without beams returns one sequence, asked by one beam: {generation}")
        if generation.max_new_tokens > self._tokens.shape[1]:
            raise ValueError(f"{generation.max_new_tokens} new tokens, the batch holds {self._tokens.shape[1]}")
        self._lengths[row] = 0
        self._max_new_tokens[row] = generation.max_new_tokens
        self._loops.set(row, generation)
        self._needed[row] = 1
        self._choosers.pop(row, None)
        if is_constrained(generation) or generation.sampling is not None:
            self._choosers[row] = Chooser(generation, self._start_id, self._end_ids)
            self._needed[row] = self._choosers[row].num_needed(self._vocab_size)

    def move(self, source_row: int, target_row: int) -> None:
        """Moves a request to another row."""
        for array in (self._tokens, self._logprobs, self._lengths, self._max_new_tokens, self._needed):
            array[target_row] = array[source_row]
        self._loops.move(source_row, target_row)
        self._choosers.pop(target_row, None)
        if source_row in self._choosers:
            self._choosers[target_row] = self._choosers.pop(source_row)

    def num_candidates(self, num_live: int) -> int:
        """One, more where a row has constraints or draws."""
        return min(int(self._needed[:num_live].max(initial=1)), self._vocab_size)

    def advance(
        self,
        num_live: int,
        candidate_logits: Float32Array,
        candidate_ids: Int64Array,
        log_normalizer: Float32Array,
    ) -> Advance:
        """Takes each row's best candidate, or its chooser's."""
        tokens = candidate_ids[:, 0].copy()
        logprobs = candidate_logits[:, 0] - log_normalizer
        for row, chooser in self._choosers.items():
            if row < num_live:
                ids, logits = candidate_ids[row, None], candidate_logits[row, None]
                tokens[row], logprobs[row] = chooser.choose(Candidates(ids, logits, logits - log_normalizer[row]))
                self._needed[row] = chooser.num_needed(self._vocab_size)

        positions = self._lengths[:num_live]
        self._tokens[np.arange(num_live), positions] = tokens
        self._logprobs[np.arange(num_live), positions] = logprobs
        self._lengths[:num_live] += 1
        finished = self._is_end[tokens] | (self._lengths[:num_live] >= self._max_new_tokens[:num_live])
        self._end_loops(finished, np.ones(num_live, np.int64))
        return Advance(tokens, np.arange(num_live), False, finished)

    def num_steps_ahead(self, num_live: int) -> int:
        """How many steps the live rows can make without a decision: each takes its best candidate, and none passes its
        limit. 0 if a row has constraints or draws.
        """
        if any(row < num_live for row in self._choosers):
            return 0
        return int((self._max_new_tokens[:num_live] - self._lengths[:num_live]).min())

    def ends(self, tokens: Int64Array) -> BoolArray:
        """Which of these tokens end an output; bool, as many."""
        return self._is_end[tokens]

    def take(self, tokens: Int64Array, logprobs: Float32Array) -> Taken:
        """Takes over steps that needed no decision, at most `num_steps_ahead` of them.

        Args:
            tokens: int64 [steps, num_live], the best candidates; tokens behind a row's end are left out.
            logprobs: float32 [steps, num_live], theirs.
        """
        num_steps, num_live = tokens.shape
        rows, lengths = np.arange(num_live), self._lengths[:num_live]
        positions = lengths + np.arange(num_steps)[:, None]
        self._tokens[rows, positions] = tokens
        self._logprobs[rows, positions] = logprobs
        ended = self._is_end[tokens]
        taken = np.where(ended.any(axis=0), ended.argmax(axis=0) + 1, num_steps)
        lengths += taken
        finished = ended.any(axis=0) | (lengths >= self._max_new_tokens[:num_live])
        self._end_loops(finished, taken)
        return Taken(taken, finished)

    def _end_loops(self, finished: BoolArray, num_taken: Int64Array) -> None:
        """Ends the live rows whose outputs loop, where they do.

        Args:
            finished: bool [live rows].
            num_taken: int64 [live rows], tokens of this call.
        """
        for row in self._loops.due(self._lengths[: len(finished)]):
            end = self._loops.end_of(row, self._tokens[row, : self._lengths[row]])
            if end is not None:
                num_taken[row] -= self._lengths[row] - end
                self._lengths[row] = end
                finished[row] = True

    def hypotheses(self, row: int) -> list[Hypothesis]:
        """The row's one output."""
        tokens, logprobs, path = self.committed(row)
        score = float(logprobs.sum(dtype=np.float64))
        return [Hypothesis(tokens, logprobs, path, score, "end" if self._is_end[tokens[-1]] else "length")]

    def committed(self, row: int, start: int = 0) -> Prefix:
        """All tokens: none is ever taken back."""
        positions = slice(start, self._lengths[row])
        tokens, logprobs = self._tokens[row, positions].copy(), self._logprobs[row, positions].copy()
        return Prefix(tokens, logprobs, np.zeros(len(tokens), np.int64))
