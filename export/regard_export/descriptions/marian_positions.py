"""Marian's fixed position codes."""

import numpy as np

from regard.arrays import Float32Array, Int64Array


def signal(positions: Int64Array, width: int) -> Float32Array:
    """Marian's position codes, [positions, width]: sines, then cosines; the slowest turns by 1 in 10,000 positions.

    The rates are 10000^(-i / (width / 2 - 1)), as in tensor2tensor, not those of Vaswani et al. 2017, section 3.5.
    """
    half = width // 2
    rates = np.exp(np.arange(half) * (-np.log(10_000.0) / max(1, half - 1)))
    angles = positions[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
