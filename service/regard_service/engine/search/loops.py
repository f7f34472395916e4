"""Outputs that repeat themselves without end are ended."""

import numpy as np

from regard.arrays import Int64Array
from regard_service.generation import Generation

NEVER = np.iinfo(np.int64).max
MIN_FIRST_CHECK = 20  # tokens; outputs are usually done by then, or by half of what they may have
NUM_BETWEEN_CHECKS = 12  # tokens
MIN_LOOP_PERIODS = 4
MAX_PERIOD = 16


def ends_in_loop(tokens: Int64Array, least: int) -> bool:
    """Whether an output's last tokens repeat a period of up to 16 tokens, four times or more.

    Args:
        tokens: int64 [tokens].
        least: the number of tokens from which on it is a loop.
    """
    for period in range(1, min(MAX_PERIOD, len(tokens) // MIN_LOOP_PERIODS) + 1):
        size = max(least, MIN_LOOP_PERIODS * period)
        tail = tokens[-size:]
        if len(tail) == size and np.array_equal(tail[period:], tail[:-period]):
            return True
    return False


class LoopGuard:
    """When each row's output is next checked for a loop; never, unless its request says so.

    Attributes:
        next_check: int64 [rows], in tokens of the output.
        max_loop: int64 [rows], of the request.
    """

    def __init__(self, num_rows: int) -> None:
        self.max_loop = np.zeros(num_rows, np.int64)
        self.next_check = np.full(num_rows, NEVER, np.int64)

    def set(self, row: int, generation: Generation) -> None:
        """Takes a row's request."""
        first = max(MIN_FIRST_CHECK, generation.max_new_tokens // 2)
        self.next_check[row] = first if generation.max_loop else NEVER
        self.max_loop[row] = generation.max_loop

    def move(self, source_row: int, target_row: int) -> None:
        """Copies a row."""
        for array in (self.next_check, self.max_loop):
            array[target_row] = array[source_row]

    def due(self, lengths: Int64Array) -> list[int]:
        """Returns the rows to look at, with `end_of`. Args: lengths: int64 [rows]."""
        is_due = lengths >= self.next_check[: len(lengths)]
        return [int(row) for row in np.flatnonzero(is_due)] if is_due.any() else []

    def end_of(self, row: int, tokens: Int64Array) -> int | None:
        """Returns the length at which a row's output is ended; None if it goes on.

        Outputs are checked at fixed lengths, so that none depends on how many steps were made at once.

        Args:
            tokens: int64 [tokens], of the output so far.
        """
        while (length := int(self.next_check[row])) <= len(tokens):
            self.next_check[row] += NUM_BETWEEN_CHECKS
            if ends_in_loop(tokens[:length], int(self.max_loop[row])):
                return length
        return None
