"""Sinusoidal position tables of other toolkits; the project's own are `regard_models.nets.transformer.sinusoids`."""

import math

import torch

from regard.arrays import Float32Array


def interleaved_sinusoids(num_positions: int, width: int) -> Float32Array:
    """Sines and cosines in turn, as in Vaswani et al. 2017, section 3.5: float32 [positions, width]."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    angles = torch.arange(num_positions)[:, None] * rates
    table: Float32Array = torch.stack([torch.sin(angles), torch.cos(angles)], dim=-1).flatten(1).numpy()
    return table


def concatenated_sinusoids(num_positions: int, width: int, *, first: int = 0) -> Float32Array:
    """Sines, then cosines, the slowest of frequency 1 / 10000, as in tensor2tensor: float32 [positions, width].

    Args:
        first: the first position.
    """
    half = width // 2
    rates = torch.exp(torch.arange(half) * (-math.log(10000.0) / (half - 1)))
    angles = torch.arange(first, first + num_positions)[:, None] * rates
    table: Float32Array = torch.cat([torch.sin(angles), torch.cos(angles)], dim=1).numpy()
    return table
