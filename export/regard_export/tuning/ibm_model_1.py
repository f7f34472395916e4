"""IBM Model 1 (Brown et al. 1993): which source token a target token translates, learned from sentence pairs."""

from collections.abc import Iterator, Sequence

import numpy as np

from regard.arrays import Float32Array

NUM_ITERATIONS = 5

SentencePair = tuple[Sequence[int], Sequence[int]]
"""Ids of a source and of its target, without special tokens."""


def ibm_model_1(pairs: Sequence[SentencePair]) -> Iterator[Float32Array]:
    """Trains the model on the pairs by expectation-maximization.

    Yields:
        of each pair, the probability that a source token generated a target token: float32 [target, source], whose
        rows sum to 1.
    """
    # A cell per (source, target) pair of token types that occur together; a sentence's cells are [target, source].
    index: dict[tuple[int, int], int] = {}
    cells = [
        np.array([[index.setdefault((s, t), len(index)) for s in source] for t in target], np.int64)
        for source, target in pairs
    ]
    sources = np.fromiter((s for s, _ in index), np.int64, len(index))
    probability = np.ones(len(index))
    for _ in range(NUM_ITERATIONS):
        counts = np.zeros(len(index))
        for sentence in cells:
            given = probability[sentence]
            np.add.at(counts, sentence, given / given.sum(axis=1, keepdims=True))
        totals = np.bincount(sources, counts)
        probability = counts / totals[sources]
    for sentence in cells:
        given = probability[sentence]
        yield (given / given.sum(axis=1, keepdims=True)).astype(np.float32)
