"""Joins the maps of consecutive parts, which were decoded separately, to one map."""

from collections.abc import Sequence

import numpy as np

from regard.arrays import Float32Array


def block_diagonal(blocks: Sequence[Float32Array]) -> Float32Array:
    """Places the parts' maps along the diagonal. All else is 0: the output of one part attends to no other part.

    Args:
        blocks: float32 [..., target, source] each; all axes but the last two are alike.

    Returns:
        float32 [..., all targets, all sources]; each row keeps its sum.
    """
    if len(blocks) == 1:
        return blocks[0]
    num_targets, num_sources = np.sum([block.shape[-2:] for block in blocks], axis=0)
    joined = np.zeros((*blocks[0].shape[:-2], num_targets, num_sources), np.float32)
    target = source = 0
    for block in blocks:
        joined[..., target : target + block.shape[-2], source : source + block.shape[-1]] = block
        target, source = target + block.shape[-2], source + block.shape[-1]
    return joined
