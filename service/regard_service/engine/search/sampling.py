"""Drawing a token: temperature, then the `top_k` best, then the nucleus `top_p`, in the reference's order."""

import numpy as np
from numpy.typing import NDArray

from regard.arrays import Float32Array
from regard_service.generation import Sampling


def probabilities(logits: Float32Array, sampling: Sampling) -> NDArray[np.float64]:
    """The distribution to draw from.

    Args:
        logits: float32 [candidates], descending; all candidates that may be drawn, or at least the `top_k` best.

    Returns:
        float64 [candidates], sums to 1; 0 for candidates that the filters exclude.
    """
    weights = logits.astype(np.float64) / sampling.temperature
    if sampling.top_k > 0:
        weights[sampling.top_k :] = -np.inf
    probs = _softmax(weights)
    if sampling.top_p < 1.0:
        # Holtzman et al. 2020, eq. 2: the fewest best tokens whose mass is at least top_p, so that the tail from
        # any token on weighs more than the rest; the best token always stays.
        tail = probs[::-1].cumsum()[::-1]
        outside = tail <= 1.0 - sampling.top_p
        outside[0] = False
        probs[outside] = 0.0
        probs /= probs.sum()
    return probs


def draw(probs: NDArray[np.float64], generator: np.random.Generator) -> int:
    """An index, by inverting the cumulative distribution at one uniform number: one random number a token."""
    cumulative = probs.cumsum()
    index = int(np.searchsorted(cumulative, generator.random() * cumulative[-1], side="right"))
    return min(index, int(np.flatnonzero(probs)[-1]))  # rounding must not exceed the last possible index


def _softmax(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    exponentials = np.exp(weights - weights.max())
    probs: NDArray[np.float64] = exponentials / exponentials.sum()
    return probs
