"""From logits to probabilities."""

import numpy as np

from regard.arrays import Float32Array


def probabilities(logits: Float32Array, *, is_exclusive: bool) -> Float32Array:
    """float32 [..., labels]: softmax over the labels, or the logistic function of each."""
    if not is_exclusive:
        chances: Float32Array = (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)  # without overflow
        return chances
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Float32Array = exponents / exponents.sum(axis=-1, keepdims=True)
    return shares
