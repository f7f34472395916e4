"""The interval of a target's words that a pair of tags goes around: that of the largest worth."""

from dataclasses import dataclass

import numpy as np

from regard.arrays import BoolArray, Float32Array

LENGTH = 1.0
"""How much the logarithm of the words of an interval over those that are expected counts against it; as a share of a
word's weight, chosen with those of `edges`."""

_MAX_COMPARED = 100  # words of a run of which every interval is looked at; longer runs take linear time
_TIE = 1e-6  # of two intervals of the same worth the shorter one


@dataclass(frozen=True)
class Worth:
    """What intervals of words are worth to a pair: the sum of its words, its first and last edge, and its length.

    Attributes:
        words: float32 [target words].
        starts, ends: float32 [target words + 1], before each word and behind the last.
        are_words: bool [target words]; False for marks of punctuation.
        expected: how many words the pair has around it, if the target is written as the source; 0 if it has only marks.
    """

    words: Float32Array
    starts: Float32Array
    ends: Float32Array
    are_words: BoolArray
    expected: float

    def of(self, interval: range) -> float:
        """Returns what an interval is worth; minus infinity for an empty one."""
        if not interval:
            return -np.inf
        edges = self.starts[interval.start] + self.ends[interval.stop]
        count = float(self.are_words[interval.start : interval.stop].sum())
        return float(self.words[interval.start : interval.stop].sum() + edges - self._surprise(np.float32(count)))

    def largest(self, run: range, held: range | None, *, fixed_start: bool, fixed_end: bool) -> range:
        """Returns the interval of a run with the largest worth, and of those a short one; never an empty one.

        A pair that has words in the source has some in the target, not only marks, where the run has any.

        Args:
            held: words that it must have.
            fixed_start, fixed_end: whether it starts, or ends, where the run does.
        """
        sums = np.concatenate([[0.0], np.cumsum(self.words[run.start : run.stop] - _TIE)])
        opened = self.starts[run.start : run.stop + 1] - sums  # an interval [i, j) has opened[i] + closed[j]
        closed = self.ends[run.start : run.stop + 1] + sums
        first_stop = 1 if held is None else held.stop - run.start
        last_start = len(run) - 1 if held is None else held.start - run.start
        last_start = 0 if fixed_start else last_start
        first_stop = len(run) if fixed_end else first_stop
        if len(run) > _MAX_COMPARED:
            start, stop = _best_of_long(opened[: last_start + 1], closed, first_stop)
        else:
            counts = np.concatenate([[0], np.cumsum(self.are_words[run.start : run.stop])])
            start, stop = self._best(opened[: last_start + 1], closed[first_stop:], counts, first_stop)
        return range(run.start + start, run.start + stop)

    def _best(
        self,
        opened: Float32Array,
        closed: Float32Array,
        counts: "np.ndarray[tuple[int], np.dtype[np.int64]]",
        offset: int,
    ) -> tuple[int, int]:
        """Compares all intervals. Args: counts: of words before each edge; offset: the edge of `closed[0]`."""
        stops = np.arange(offset, offset + len(closed))
        num_words = counts[stops] - counts[: len(opened), None]
        values = opened[:, None] + closed - self._surprise(num_words.clip(0))
        values[np.arange(len(opened))[:, None] >= stops] = -np.inf
        if self.expected and (has_words := (num_words > 0) & np.isfinite(values)).any():
            values[~has_words] = -np.inf
        start, stop = divmod(int(values.argmax()), len(closed))
        return start, stop + offset

    def _surprise(self, num_words: "np.ndarray[tuple[int, ...], np.dtype[np.int64]] | np.float32") -> Float32Array:
        """Returns how much a number of words counts against an interval, float32 of the same shape."""
        ratio: Float32Array = np.abs(np.log((num_words + 1) / (self.expected + 1)))
        return LENGTH * ratio


def _best_of_long(opened: Float32Array, closed: Float32Array, first_stop: int) -> tuple[int, int]:
    """Returns the best interval without regard to its length, in linear time."""
    best_starts = np.maximum.accumulate(opened)
    stops = np.arange(max(first_stop, 1), len(closed))
    stop = int(stops[(closed[stops] + best_starts[np.minimum(stops - 1, len(opened) - 1)]).argmax()])
    return int(opened[:stop].argmax()), stop
