"""Reduces the attention of all heads to the heads of a call, or to the alignment."""

from collections.abc import Sequence

import numpy as np

from regard.arrays import Float32Array


def select(maps: Float32Array, layers: Sequence[int], heads: Sequence[int]) -> Float32Array:
    """Selects heads of layers, in the given order.

    Args:
        maps: float32 [layers, heads, target, source].

    Returns:
        float32 [len(layers), len(heads), target, source], contiguous.
    """
    return np.ascontiguousarray(maps[np.ix_(layers, heads)])


def align(cross: Float32Array, pairs: Sequence[tuple[int, int]]) -> Float32Array:
    """Returns the alignment: the mean over (layer, head) pairs.

    Args:
        cross: float32 [layers, heads, target, source].

    Returns:
        float32 [target, source]; each row keeps the sum of the rows it averages.
    """
    layers, heads = zip(*pairs, strict=True)
    mean: Float32Array = np.add.reduce(cross[layers, heads]) / np.float32(len(pairs))
    return mean


def shift(alignment: Float32Array) -> Float32Array:
    """Aligns each token at the step that reads it, not at the step that generates it: Shift-Att of Chen et al. 2020.

    The attention of the step whose input is a token often aligns that token better. The last token is never an input
    and keeps its row.

    Args:
        alignment: float32 [target, source]; row t is the step that generated token t.
    """
    return np.concatenate([alignment[1:], alignment[-1:]])
