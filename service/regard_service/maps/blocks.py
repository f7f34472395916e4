"""Joins the maps of parts or segments, which were decoded separately, to one map."""

from collections.abc import Sequence

import numpy as np

from regard.arrays import Float32Array
from regard_service.domain.results import AttentionMap


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


def whole_map(
    maps: Sequence[AttentionMap], num_targets: int, num_sources: int, matrices: tuple[int, ...]
) -> Float32Array:
    """Places the maps of a text's segments, all of one kind, in the map of the whole text.

    Args:
        matrices: the axes before the last two.

    Returns:
        float32 [*matrices, num_targets, num_sources]; 0 between different segments.
    """
    values = np.zeros((*matrices, num_targets, num_sources), np.float32)
    for each in maps:
        rows = slice(each.target_offset, each.target_offset + each.values.shape[-2])
        columns = slice(each.source_offset, each.source_offset + each.values.shape[-1])
        values[..., rows, columns] = each.values
    return values
