"""The interface of every search.

A *row* is a request's place in the running batch; live rows are a prefix. A row has `num_beams` slots, side by side:
slot = row * num_beams + beam. Each step the engine runs the step graph for all live slots and calls `advance`, which
decides what every slot reads next and whose state it continues.

    search.admit(row, generation)
    loop:
        candidates = step(..., num_candidates=search.num_candidates(num_live))
        advance = search.advance(num_live, *candidates)
        move the states if advance.moved; show search.committed(row) to streaming callers
        for finished rows: search.hypotheses(row), and search.move(last_row, row) to close the gap

Semantics are those of `transformers` generate for a batch of one request: other requests of the batch do not matter.
"""

from collections.abc import Sequence
from typing import Protocol

from regard.arrays import Float32Array, Int64Array
from regard_service.engine.search.beam import BeamSearch
from regard_service.engine.search.constraints.constraint import Vocabulary
from regard_service.engine.search.outcome import Advance, Hypothesis, Prefix
from regard_service.engine.search.single import SingleSearch
from regard_service.engine.search.terms import Guidance
from regard_service.generation import Generation


class Search(Protocol):
    """Decides for all live rows of a running batch at once."""

    num_beams: int

    def admit(self, row: int, generation: Generation) -> None:
        """Starts a request in a free row.

        Raises:
            ValueError: the batch cannot serve its options: another number of beams, more return sequences than
                beams, sampling with beams, more tokens than the batch holds.
        """

    def move(self, source_row: int, target_row: int) -> None:
        """Moves a live request into a row that is free."""

    def num_candidates(self, num_live: int) -> int:
        """How many candidates per slot the next step must return, at most the vocabulary."""

    def guided(self, num_live: int) -> list[int]:
        """The live rows whose terms read the attention of the next step; most batches have none."""

    def advance(
        self,
        num_live: int,
        candidate_logits: Float32Array,
        candidate_ids: Int64Array,
        log_normalizer: Float32Array,
        weights: Float32Array | None = None,
    ) -> Advance:
        """Chooses the next tokens of all live rows.

        Args:
            candidate_logits: float32 [slots, candidates], descending; slots = num_live * num_beams.
            candidate_ids: int64 [slots, candidates].
            log_normalizer: float32 [slots], log-sum-exp over the whole vocabulary.
            weights: float32 [guided rows, beams, source], the step's alignment of the rows that `guided` names.
        """

    def hypotheses(self, row: int) -> list[Hypothesis]:
        """A finished row's results, best first: `num_return_sequences`, or fewer if fewer exist."""

    def committed(self, row: int, start: int = 0) -> Prefix:
        """The tokens from position `start` on that the best result certainly contains.

        Never retracts a token; for a finished row it is the whole best hypothesis.
        """


def open_search(
    num_beams: int,
    *,
    max_requests: int,
    max_target_tokens: int,
    vocab_size: int,
    start_id: int,
    end_ids: Sequence[int],
    guidance: Guidance | None = None,
) -> Search:
    """The search of a running batch whose requests all have `num_beams` beams.

    Args:
        max_requests: rows of the batch.
        max_target_tokens: the longest hypothesis; no request's `max_new_tokens` may be larger.
        start_id: the token before the first one; repetition constraints count it, as the reference's do.
        end_ids: tokens that end a hypothesis.
        guidance: how terms are placed; None where there are none.
    """
    vocabulary = Vocabulary(start_id, tuple(end_ids))
    if num_beams == 1:
        return SingleSearch(max_requests, max_target_tokens, vocab_size, vocabulary, guidance)
    return BeamSearch(num_beams, max_requests, max_target_tokens, vocab_size, vocabulary, guidance)
