"""IBM Model 1 (Brown et al. 1993): which source token a target token translates, learned from sentence pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regard.arrays import Float32Array, Int64Array

NUM_ITERATIONS = 5

Floats = NDArray[np.float64]

SentencePair = tuple[Sequence[int], Sequence[int]]
"""Ids of a source and of its target, without special tokens."""


@dataclass(frozen=True)
class LinkCounts:
    """How often a target token translates a source token, for each pair of tokens that occur together.

    Attributes:
        sources, targets: int64 [cells], each (source, target) once.
        counts: float64 [cells], the expected number of links.
    """

    sources: Int64Array
    targets: Int64Array
    counts: Floats


def ibm_model_1(pairs: Sequence[SentencePair]) -> Iterator[Float32Array]:
    """Trains the model on the pairs by expectation-maximization.

    Yields:
        of each pair, the probability that a source token generated a target token: float32 [target, source], whose
        rows sum to 1.
    """
    model = _Model(pairs)
    posteriors = model.posteriors().astype(np.float32)
    ends = np.cumsum([len(source) * len(target) for source, target in pairs])
    for end, (source, target) in zip(ends.tolist(), pairs, strict=True):
        yield posteriors[end - len(source) * len(target) : end].reshape(len(target), len(source))


def link_counts(pairs: Sequence[SentencePair]) -> LinkCounts:
    """Trains the model on the pairs, and sums the probabilities of their links."""
    model = _Model(pairs)
    return LinkCounts(model.sources, model.targets, model.summed(model.posteriors()))


class _Model:
    """The trained model: a cell per (source, target) pair of token types that occur together.

    A sentence's positions are [target, source], flattened; those of all sentences are concatenated.
    """

    def __init__(self, pairs: Sequence[SentencePair]) -> None:
        used = [(np.asarray(s, np.int64), np.asarray(t, np.int64)) for s, t in pairs]
        num_targets = 1 + max((int(target.max(initial=-1)) for _, target in used), default=-1)
        keys = [(source[None] * num_targets + target[:, None]).reshape(-1) for source, target in used]
        cells, self._cells = np.unique(np.concatenate([np.zeros(0, np.int64), *keys]), return_inverse=True)
        self.sources, self.targets = np.divmod(cells, max(1, num_targets))
        widths = np.repeat([len(source) for source, _ in used], [len(target) for _, target in used]).astype(np.int64)
        self._widths = widths[widths > 0]  # of each row, a target token's
        self._probability = np.ones(len(cells))
        for _ in range(NUM_ITERATIONS):
            counts = self.summed(self.posteriors())
            totals = np.bincount(self.sources, counts)
            self._probability = counts / totals[self.sources]

    def posteriors(self) -> Floats:
        """The probability of each position's link, float64 [positions]; a target token's sum to 1."""
        given: Floats = self._probability[self._cells]
        if not given.size:
            return given
        starts = np.concatenate([[0], np.cumsum(self._widths)[:-1]])
        totals: Floats = np.add.reduceat(given, starts)
        return given / np.repeat(totals, self._widths)

    def summed(self, positions: Floats) -> Floats:
        """Sums numbers of positions by cell."""
        return np.bincount(self._cells, positions, minlength=len(self.sources)).astype(np.float64)
