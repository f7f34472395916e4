"""Measures of an alignment: hard links, entropy, coverage.

Units are tokens or words. An alignment is float32 [target, source], each row a distribution over the source.
"""

from collections.abc import Sequence

import numpy as np

from regard.arrays import Float32Array

MIN_POSITIVE = np.finfo(np.float32).tiny


def hard_links(
    alignment: Float32Array, source_special: Sequence[bool], target_special: Sequence[bool]
) -> list[tuple[int, int]]:
    """Returns the strongest source unit of each target unit, without the special units of both sides.

    Special tokens are attention sinks: they receive weight that belongs to no unit, and must not compete.

    Args:
        source_special, target_special: bool [source], bool [target].

    Returns:
        (source, target) pairs, by target; the first of equally strong source units.
    """
    candidates = [source for source, special in enumerate(source_special) if not special]
    if not candidates:
        return []
    strongest = alignment[:, candidates].argmax(axis=1).tolist()
    return [(candidates[strongest[target]], target) for target, special in enumerate(target_special) if not special]


def entropy(alignment: Float32Array) -> Float32Array:
    """Returns each row's entropy, -sum_i a_i ln a_i, in nats: 0 with all weight on one unit, ln(source) at most.

    Returns:
        float32 [target].
    """
    logarithms = np.log(np.maximum(alignment, MIN_POSITIVE))  # 0 ln 0 = 0
    nats: Float32Array = np.maximum(-np.einsum("ts,ts->t", alignment, logarithms), 0.0)
    return nats


def coverage(alignment: Float32Array) -> Float32Array:
    """Returns each row's overlap with the earlier rows: sum_i min(a_i, c_i), where c is the sum of the earlier rows.

    The coverage loss of See et al. 2017, eqs. 10 and 12: near 1 where the model attends to the same units again.

    Returns:
        float32 [target], in [0, 1] for rows that sum to 1.
    """
    attended = alignment.cumsum(axis=0) - alignment
    repeated: Float32Array = np.minimum(alignment, np.maximum(attended, 0.0)).sum(axis=1)
    return repeated


def source_coverage(alignment: Float32Array) -> Float32Array:
    """Returns the attention that each source unit receives from all rows: float32 [source]."""
    total: Float32Array = alignment.sum(axis=0)
    return total
