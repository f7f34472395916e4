"""From a model's logits to probabilities of labels."""

import numpy as np

from regard.arrays import Float32Array
from regard_service.bundle import LabelsOutput


def label_probabilities(logits: Float32Array, output: LabelsOutput) -> Float32Array:
    """float32 [..., labels]: softmax, or the logistic function of each."""
    if not output.is_exclusive:
        chances: Float32Array = (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)  # without overflow
        return chances
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Float32Array = exponents / exponents.sum(axis=-1, keepdims=True)
    return shares
