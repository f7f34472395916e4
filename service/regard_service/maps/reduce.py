"""From all heads' cross-attention to the maps that a caller asked for."""

from collections.abc import Sequence

import numpy as np

from regard.arrays import Float32Array


def select(maps: Float32Array, layers: Sequence[int], heads: Sequence[int]) -> Float32Array:
    """The heads of the layers, in the order given.

    Args:
        maps: float32 [layers, heads, target, source].

    Returns:
        float32 [len(layers), len(heads), target, source], contiguous.
    """
    return np.ascontiguousarray(maps[np.ix_(layers, heads)])


def align(cross: Float32Array, pairs: Sequence[tuple[int, int]]) -> Float32Array:
    """The alignment: the mean over (layer, head) pairs.

    Args:
        cross: float32 [layers, heads, target, source].

    Returns:
        float32 [target, source]; rows sum to what those of `cross` do.
    """
    layers, heads = zip(*pairs, strict=True)
    mean: Float32Array = np.add.reduce(cross[layers, heads]) / np.float32(len(pairs))
    return mean


def shift(alignment: Float32Array) -> Float32Array:
    """Aligns each token at the step that reads it, not at the one that makes it: Shift-Att of Chen et al. 2020.

    What the decoder attends to while it has a token as its input is often a better alignment of that token. The last
    token is never an input and keeps its row.

    Args:
        alignment: float32 [target, source]; row t is the step that made token t.
    """
    return np.concatenate([alignment[1:], alignment[-1:]])
