"""One hypothesis a request: each step takes the best token (greedy) or draws one (sampling); both may share a batch."""

from typing import NamedTuple

import numpy as np

from regard.arrays import BoolArray, Float32Array, Int64Array
from regard_service.engine.search.constraints.candidates import BANNED, Candidates
from regard_service.engine.search.constraints.constraint import Vocabulary
from regard_service.engine.search.constraints.constraints import Constraints, is_constrained
from regard_service.engine.search.loops import LoopGuard
from regard_service.engine.search.outcome import Advance, Hypothesis, Prefix, Taken
from regard_service.engine.search.sampling import draw, probabilities
from regard_service.engine.search.terms import Guidance, TermPlan, TermState
from regard_service.generation import Generation

# Candidates beyond the best, at a step whose token may not continue a term's last word; and where all of them would.
NUM_SPARE, MANY_SPARE = 8, 64

_ONLY_BEAM = np.zeros(1, np.int64)


class Choice(NamedTuple):
    """A step's choice of one row.

    Attributes:
        num_taken_back: tokens that the row gives up before.
        is_repeated: the last token again: the step comes again.
    """

    token: int
    logprob: float
    num_taken_back: int = 0
    is_repeated: bool = False


class Chooser:
    """Chooses the tokens of a request that has constraints, terms, or draws."""

    def __init__(self, generation: Generation, vocabulary: Vocabulary, guidance: Guidance) -> None:
        self._sampling = generation.sampling
        self._constraints = Constraints(generation, 1, vocabulary) if is_constrained(generation) else None
        self._generator = np.random.default_rng(generation.sampling.seed if generation.sampling else None)
        plan = TermPlan.of(generation, vocabulary.end_ids, guidance)
        self.terms = None if plan is None else TermState(plan)
        self._num_spare = NUM_SPARE

    @property
    def is_done(self) -> bool:
        """Whether every following token is the best candidate."""
        is_free = self._constraints is None or self._constraints.is_done
        return is_free and self._sampling is None and (self.terms is None or self.terms.is_done)

    def num_needed(self, vocab_size: int) -> int:
        """How many candidates the next step must return for `choose`."""
        affected = 0 if self._constraints is None else self._constraints.num_affected(vocab_size)
        if self.terms is not None and self.terms.may_ban:
            affected += self._num_spare
        if self._sampling is None:
            return 1 + affected
        return (self._sampling.top_k or vocab_size) + affected

    def choose(self, candidates: Candidates, weights: Float32Array | None) -> Choice:
        """Chooses the next token.

        Args:
            candidates: of one beam, with logits as scores, descending.
            weights: float32 [source], for the terms.
        """
        if self._constraints is not None and self._constraints.is_active:
            candidates = self._constraints.apply(candidates)
        index = int(candidates.scores[0].argmax())
        # Where every token is banned none can be drawn, and any token goes on, as in the reference's greedy search.
        if self._sampling is not None and candidates.scores[0, index] > BANNED:
            candidates = candidates.best(candidates.ids.shape[1])
            index = draw(probabilities(candidates.scores[0], self._sampling), self._generator)
        if self.terms is None or weights is None:
            choice = Choice(int(candidates.ids[0, index]), float(candidates.logprobs[0, index]))
        else:
            choice = self._steered(self.terms, candidates, index, weights)
        if self._constraints is not None:
            self._constraints.extend(_ONLY_BEAM, np.array([choice.token]), choice.num_taken_back)
        return choice

    def _steered(self, terms: TermState, candidates: Candidates, index: int, weights: Float32Array) -> Choice:
        """What the terms make of a choice. Where they allow no candidate, the step comes again, with more of them."""
        token = int(candidates.ids[0, index])
        move = terms.decide(weights, token)
        if move is None and not terms.allows(token):
            scores = candidates.scores[0].tolist()
            order = sorted(range(len(scores)), key=lambda each: -scores[each])
            allowed = (i for i in order if scores[i] > BANNED and terms.allows(int(candidates.ids[0, i])))
            index = next(allowed, -1)
            if index < 0 and self._num_spare == NUM_SPARE:
                self._num_spare = MANY_SPARE
                terms.repeat()
                return Choice(terms.tokens[-1], 0.0, 1, is_repeated=True)
            move = terms.go_on() if index < 0 else None
        self._num_spare = NUM_SPARE
        if move is None:
            choice = Choice(int(candidates.ids[0, index]), float(candidates.logprobs[0, index]))
        else:
            choice = Choice(move.token, 0.0, move.num_taken_back)
        terms.take(choice.num_taken_back, choice.token)
        return choice


class SingleSearch:
    """Greedy search and sampling. Rows without constraints and sampling cost no loop."""

    num_beams = 1

    def __init__(
        self,
        max_requests: int,
        max_target_tokens: int,
        vocab_size: int,
        vocabulary: Vocabulary,
        guidance: Guidance | None = None,
    ) -> None:
        self._vocab_size = vocab_size
        self._vocabulary = vocabulary
        self._guidance = guidance or Guidance()
        self._is_end = np.zeros(vocab_size, np.bool_)
        self._is_end[list(vocabulary.end_ids)] = True
        self._tokens = np.zeros((max_requests, max_target_tokens), np.int64)
        self._logprobs = np.zeros((max_requests, max_target_tokens), np.float32)
        self._lengths = np.zeros(max_requests, np.int64)
        self._max_new_tokens = np.zeros(max_requests, np.int64)
        self._loops = LoopGuard(max_requests)
        self._needed = np.ones(max_requests, np.int64)  # candidates, at the next step
        self._choosers: dict[int, Chooser] = {}  # of the rows that have constraints or terms, or draw

    def admit(self, row: int, generation: Generation) -> None:
        """Starts a request; one with constraints, terms or sampling gets a `Chooser`."""
        if generation.num_beams != 1 or generation.num_return_sequences != 1:
            raise ValueError(f"a batch without beams returns one sequence, asked by one beam: {generation}")
        if generation.max_new_tokens > self._tokens.shape[1]:
            raise ValueError(f"{generation.max_new_tokens} new tokens, the batch holds {self._tokens.shape[1]}")
        self._lengths[row] = 0
        self._max_new_tokens[row] = generation.max_new_tokens
        self._loops.set(row, generation)
        self._needed[row] = 1
        self._choosers.pop(row, None)
        if is_constrained(generation) or generation.terms is not None or generation.sampling is not None:
            self._choosers[row] = Chooser(generation, self._vocabulary, self._guidance)
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

    def guided(self, num_live: int) -> list[int]:
        """The live rows whose terms read the attention of the next step."""
        return [row for row, chooser in self._choosers.items() if row < num_live and chooser.terms is not None]

    def advance(
        self,
        num_live: int,
        candidate_logits: Float32Array,
        candidate_ids: Int64Array,
        log_normalizer: Float32Array,
        weights: Float32Array | None = None,
    ) -> Advance:
        """Takes each row's best candidate, or its chooser's."""
        tokens = candidate_ids[:, 0].copy()
        logprobs = candidate_logits[:, 0] - log_normalizer
        taken_back = self._chosen(
            num_live, (candidate_logits, candidate_ids, log_normalizer), weights, tokens, logprobs
        )
        if taken_back is not None:
            self._lengths[:num_live] -= taken_back
        positions = self._lengths[:num_live]
        self._tokens[np.arange(num_live), positions] = tokens
        self._logprobs[np.arange(num_live), positions] = logprobs
        self._lengths[:num_live] += 1
        finished = self._is_end[tokens] | (self._lengths[:num_live] >= self._max_new_tokens[:num_live])
        self._end_loops(finished, np.ones(num_live, np.int64))
        return Advance(tokens, np.arange(num_live), False, finished, taken_back)

    def _chosen(
        self,
        num_live: int,
        candidates: tuple[Float32Array, Int64Array, Float32Array],
        weights: Float32Array | None,
        tokens: Int64Array,
        logprobs: Float32Array,
    ) -> Int64Array | None:
        """Writes the choosers' tokens and log-probabilities; returns what `Advance.taken_back` is."""
        logits, ids, normalizer = candidates
        taken_back, num_guided = None, 0
        for row in [row for row in self._choosers if row < num_live]:
            chooser, own = self._choosers[row], None
            if chooser.terms is not None and weights is not None:
                own = weights[num_guided, 0]
                num_guided += 1
            row_logits = logits[row, None]
            choice = chooser.choose(Candidates(ids[row, None], row_logits, row_logits - normalizer[row]), own)
            tokens[row], logprobs[row] = choice.token, choice.logprob
            if choice.num_taken_back:
                taken_back = np.zeros(num_live, np.int64) if taken_back is None else taken_back
                taken_back[row] = choice.num_taken_back
                if choice.is_repeated:
                    logprobs[row] = self._logprobs[row, self._lengths[row] - 1]
            self._needed[row] = chooser.num_needed(self._vocab_size)
            if chooser.is_done:
                del self._choosers[row]
        return taken_back

    def num_steps_ahead(self, num_live: int) -> int:
        """How many steps the live rows can make without a decision: each takes its best candidate, and none passes its
        limit. 0 if a row has constraints or terms, or draws.
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
        """Ends the live rows whose outputs loop, where they do; a row that lacks terms writes these first.

        Args:
            finished: bool [live rows].
            num_taken: int64 [live rows], tokens of this call.
        """
        for row in self._loops.due(self._lengths[: len(finished)]):
            end = self._loops.end_of(row, self._tokens[row, : self._lengths[row]])
            chooser = self._choosers.get(row)
            if end is not None and chooser is not None and chooser.terms is not None and chooser.terms.has_unmet:
                limit = min(int(self._max_new_tokens[row]), chooser.terms.least_length)
                chooser.terms.end_soon(limit)
                self._max_new_tokens[row] = limit
            elif end is not None:
                num_taken[row] -= self._lengths[row] - end
                self._lengths[row] = self._max_new_tokens[row] = end
                finished[row] = True

    def hypotheses(self, row: int) -> list[Hypothesis]:
        """The row's one output."""
        tokens, logprobs, path = self._prefix(row, slice(0, self._lengths[row]))
        score = float(logprobs.sum(dtype=np.float64))
        return [Hypothesis(tokens, logprobs, path, score, "end" if self._is_end[tokens[-1]] else "length")]

    def committed(self, row: int, start: int = 0) -> Prefix:
        """All tokens that no term will take back."""
        length = int(self._lengths[row])
        chooser = self._choosers.get(row)
        is_running = length < self._max_new_tokens[row] and not (length and self._is_end[self._tokens[row, length - 1]])
        if is_running and chooser is not None and chooser.terms is not None:
            length = chooser.terms.num_certain
        return self._prefix(row, slice(start, length))

    def _prefix(self, row: int, positions: slice) -> Prefix:
        tokens, logprobs = self._tokens[row, positions].copy(), self._logprobs[row, positions].copy()
        return Prefix(tokens, logprobs, np.zeros(len(tokens), np.int64))
