"""Which finished hypotheses to keep, how they compare, and when no running beam can beat them any more."""

import numpy as np

from regard.arrays import BoolArray, Float32Array, Int64Array
from regard_service.generation import Generation

NONE = np.float32(-np.inf)  # the score where there is no hypothesis


def length_penalized(scores: Float32Array, lengths: Int64Array, penalty: Float32Array) -> Float32Array:
    """Sums of log-probabilities, divided by length ** penalty, so that long outputs can compete (arrays broadcast).

    Wu et al. 2016 (GNMT), section 7, in the simpler form of `transformers`; lengths count the end token.
    """
    quotient: Float32Array = scores / lengths.astype(np.float32) ** penalty
    return quotient


class StoppingRules:
    """Each row's length penalty and early stopping.

    Attributes:
        length_penalty: float32 [rows].
        max_new_tokens: int64 [rows].
    """

    def __init__(self, num_rows: int) -> None:
        self.length_penalty = np.ones(num_rows, np.float32)
        self.max_new_tokens = np.zeros(num_rows, np.int64)
        self._first = np.zeros(num_rows, np.bool_)
        self._assumes_max_length = np.zeros(num_rows, np.bool_)

    def set(self, row: int, generation: Generation) -> None:
        """Takes a row's rules from its request."""
        self.length_penalty[row] = generation.length_penalty
        self.max_new_tokens[row] = generation.max_new_tokens
        self._first[row] = generation.early_stopping == "first"
        # With a penalty below zero longer outputs score worse, so the current length is the best case.
        self._assumes_max_length[row] = generation.early_stopping == "never" and generation.length_penalty > 0

    def move(self, source_row: int, target_row: int) -> None:
        """Copies a row."""
        for array in (self.length_penalty, self.max_new_tokens, self._first, self._assumes_max_length):
            array[target_row] = array[source_row]

    def finished(self, lengths: Int64Array, best_running: Float32Array, kept: Float32Array) -> BoolArray:
        """Whether each of the first rows is done.

        "first" stops at `num_beams` finished hypotheses. "heuristic" goes on until the best running beam would
        not enter them if it ended now; "never" assumes the longest output for it, which matters where longer
        outputs score better.

        Args:
            lengths: int64 [rows], tokens so far.
            best_running: float32 [rows], the best running sum of log-probabilities; -inf where none runs.
            kept: float32 [rows, beams], the finished hypotheses' scores, -inf where there is none.

        Returns:
            bool [rows].
        """
        rows = slice(len(lengths))
        worst_kept = kept.min(axis=1)  # of `num_beams` entries, so -inf until all are taken
        assumed_lengths = np.where(self._assumes_max_length[rows], self.max_new_tokens[rows], lengths)
        best_case = length_penalized(best_running, assumed_lengths, self.length_penalty[rows])
        decided = (worst_kept > NONE) & (self._first[rows] | (best_case <= worst_kept))
        done: BoolArray = decided | (lengths >= self.max_new_tokens[rows]) | (best_running == NONE)
        return done


class FinishedPool:
    """The best finished hypotheses of every row, `num_beams` at most, best first.

    A hypothesis is a running prefix (`length` - 1 tokens, ending in `beam`) and one last token.

    Attributes:
        scores: float32 [rows, beams], length-penalized; -inf where there is none.
        lengths, beams, tokens: int64 [rows, beams].
        logprobs: float32 [rows, beams], of the last token.
    """

    def __init__(self, num_rows: int, num_beams: int) -> None:
        shape = (num_rows, num_beams)
        self.scores = np.full(shape, NONE, np.float32)
        self.lengths = np.zeros(shape, np.int64)
        self.beams = np.zeros(shape, np.int64)
        self.tokens = np.zeros(shape, np.int64)
        self.logprobs = np.zeros(shape, np.float32)

    def clear(self, row: int) -> None:
        """Empties a row."""
        self.scores[row] = NONE

    def move(self, source_row: int, target_row: int) -> None:
        """Copies a row."""
        for array in (self.scores, self.lengths, self.beams, self.tokens, self.logprobs):
            array[target_row] = array[source_row]

    def offer(
        self,
        rows: Int64Array,
        scores: Float32Array,
        lengths: Int64Array,
        beams: Int64Array,
        tokens: Int64Array,
        logprobs: Float32Array,
    ) -> None:
        """Keeps the best of the given rows' hypotheses and the offered ones; of equals, the earlier one.

        Args:
            rows: int64 [offered rows].
            lengths: int64 [offered rows].
            scores, beams, tokens, logprobs: [offered rows, beams]; a score of -inf offers nothing.
        """
        width = self.scores.shape[1]
        merged_scores = np.concatenate([self.scores[rows], scores], axis=1)
        order = np.argsort(-merged_scores, axis=1, kind="stable")[:, :width]
        self.scores[rows] = np.take_along_axis(merged_scores, order, axis=1)
        offered_lengths = np.broadcast_to(lengths[:, None], scores.shape)
        for kept, offered in ((self.lengths, offered_lengths), (self.beams, beams), (self.tokens, tokens)):
            kept[rows] = np.take_along_axis(np.concatenate([kept[rows], offered], axis=1), order, axis=1)
        merged_logprobs = np.concatenate([self.logprobs[rows], logprobs], axis=1)
        self.logprobs[rows] = np.take_along_axis(merged_logprobs, order, axis=1)
