"""Attention weighed by what there is to attend to."""

import numpy as np

from regard.arrays import Float32Array


def weigh(attention: Float32Array, norms: Float32Array) -> Float32Array:
    """Weights times the norms of the transformed values (Kobayashi et al. 2020, eq. 5), each row divided by its sum.

    A position that gets much weight but has a small value, as a sentence's end often has, adds little to the output.

    Args:
        attention: float32 [layers, heads, rows, columns].
        norms: float32 [layers, heads, columns].

    Returns:
        float32 [layers, heads, rows, columns]; a row whose norms are all 0 stays as it is.
    """
    weighed = attention * norms[:, :, None]
    totals = weighed.sum(axis=-1, keepdims=True)
    divided: Float32Array = np.divide(weighed, totals, out=attention.copy(), where=totals > 0)
    return divided
