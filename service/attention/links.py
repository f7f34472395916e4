"""What an alignment says in a few numbers: hard links, entropy, coverage.

Units are tokens or words. An alignment is float32 [target, source], each row a distribution over the source.
"""

from collections.abc import Sequence

import numpy as np

from service.engine.request import Float32Array


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
    candidates = np.flatnonzero(~np.asarray(source_special, np.bool_))
    targets = np.flatnonzero(~np.asarray(target_special, np.bool_))
    if not candidates.size:
        return []
    strongest = candidates[alignment[np.ix_(targets, candidates)].argmax(axis=1)]
    return list(zip(strongest.tolist(), targets.tolist(), strict=True))


def entropy(alignment: Float32Array) -> Float32Array:
    """How spread each row is: -sum_i a_i ln a_i, in nats; 0 where all weight is on one unit, ln(source) at most.

    Returns:
        float32 [target].
    """
    positive = np.where(alignment > 0, alignment, np.float32(1.0))  # 0 ln 0 = 0
    nats: Float32Array = np.maximum(-(alignment * np.log(positive)).sum(axis=1), 0.0)
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
