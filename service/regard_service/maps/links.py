"""What an alignment says in a few numbers: hard links, entropy, coverage.

Units are tokens or words. An alignment is float32 [target, source], each row a distribution over the source.
"""

from collections.abc import Sequence

import numpy as np

from regard.arrays import Float32Array

SMALLEST = np.finfo(np.float32).tiny


def hard_links(
    alignment: Float32Array, source_special: Sequence[bool], target_special: Sequence[bool]
) -> list[tuple[int, int]]:
    """The strongest source unit of each target unit, special ones left out on both sides.

    Special tokens take much attention that belongs nowhere (a "sink"), so that they must not compete.

    Args:
        source_special, target_special: bool [source], bool [target].

    Returns:
        (source, target) pairs, by target; of equally strong source units the first.
    """
    candidates = [source for source, special in enumerate(source_special) if not special]
    if not candidates:
        return []
    strongest = alignment[:, candidates].argmax(axis=1).tolist()
    return [(candidates[strongest[target]], target) for target, special in enumerate(target_special) if not special]


def entropy(alignment: Float32Array) -> Float32Array:
    """How spread each row is: -sum_i a_i ln a_i, in nats; 0 where all weight is on one unit, ln(source) at most.

    Returns:
        float32 [target].
    """
    logarithms = np.log(np.maximum(alignment, SMALLEST))  # 0 ln 0 = 0
    nats: Float32Array = np.maximum(-np.einsum("ts,ts->t", alignment, logarithms), 0.0)
    return nats


def coverage(alignment: Float32Array) -> Float32Array:
    """How much of each row falls on what earlier rows attended to: sum_i min(a_i, c_i), c their sum.

    The coverage loss of See et al. 2017, eqs. 10 and 12: near 1 where the model looks at the same again.

    Returns:
        float32 [target], in [0, 1] for rows that sum to 1.
    """
    attended = alignment.cumsum(axis=0) - alignment
    repeated: Float32Array = np.minimum(alignment, np.maximum(attended, 0.0)).sum(axis=1)
    return repeated


def source_coverage(alignment: Float32Array) -> Float32Array:
    """How much attention each source unit got in all: float32 [source]."""
    total: Float32Array = alignment.sum(axis=0)
    return total
