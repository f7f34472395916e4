"""The tokens of all running beams, as a tree of back pointers: beams that share a prefix share its memory."""

import numpy as np

from regard.arrays import Float32Array, Int64Array
from regard_service.engine.search.outcome import Prefix


class PrefixTree:
    """Back pointers of every row: after step t, beam b of a row has the prefix of beam `parents[row, t, b]` before it,
    and then `tokens[row, t, b]`. Choosing copies no prefix.

    Attributes:
        tokens, parents: int64 [rows, steps, beams].
        logprobs: float32 [rows, steps, beams].
    """

    def __init__(self, num_rows: int, num_steps: int, num_beams: int) -> None:
        shape = (num_rows, num_steps, num_beams)
        self.tokens = np.zeros(shape, np.int64)
        self.parents = np.zeros(shape, np.int64)
        self.logprobs = np.zeros(shape, np.float32)

    def extend(
        self,
        steps: Int64Array,
        tokens: Int64Array,
        parents: Int64Array,
        logprobs: Float32Array,
        rows: Int64Array | None = None,
    ) -> None:
        """Adds a token to every beam of the first rows, or of the given ones.

        Args:
            steps: int64 [rows], the position of the token in each row.
            tokens, parents, logprobs: [rows, beams].
        """
        rows = np.arange(len(steps)) if rows is None else rows
        self.tokens[rows, steps] = tokens
        self.parents[rows, steps] = parents
        self.logprobs[rows, steps] = logprobs

    def move(self, source_row: int, target_row: int) -> None:
        """Copies a row."""
        for array in (self.tokens, self.parents, self.logprobs):
            array[target_row] = array[source_row]

    def prefix(self, row: int, length: int, beam: int, start: int = 0) -> Prefix:
        """The tokens at positions start..length-1 of the prefix of `length` tokens that `beam` had."""
        size = max(length - start, 0)
        beams, path = np.empty(size, np.int64), np.empty(size, np.int64)
        for step in range(length - 1, start - 1, -1):
            beams[step - start] = beam
            path[step - start] = beam = self.parents[row, step, beam]
        steps = np.arange(start, start + size)
        return Prefix(self.tokens[row, steps, beams], self.logprobs[row, steps, beams], path)
