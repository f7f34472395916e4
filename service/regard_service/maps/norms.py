"""Attention weighted by the norms of the values."""

import numpy as np

from regard.arrays import Float32Array


def weigh(attention: Float32Array, norms: Float32Array) -> Float32Array:
    """Multiplies weights by the norms of the transformed values (Kobayashi et al. 2020, eq. 5) and normalizes each row.

    A position with a large weight and a small value, often the end of a sentence, adds little to the output.

    Args:
        attention: float32 [layers, heads, rows, columns].
        norms: float32 [layers, heads, columns].

    Returns:
        float32 [layers, heads, rows, columns]; a row whose norms are all 0 is returned as it is.
    """
    weighed = attention * norms[:, :, None]
    totals = weighed.sum(axis=-1, keepdims=True)
    divided: Float32Array = np.divide(weighed, totals, out=attention.copy(), where=totals > 0)
    return divided
