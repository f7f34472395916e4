"""Weights of single layers, as every description hands them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from regard.arrays import Float32Array

Weights = Mapping[str, Float32Array]
"""A net's weights by parameter name."""


@dataclass(frozen=True)
class Linear:
    """y = x W^T + b.

    Attributes:
        weight: float32 [out, in], as PyTorch stores it.
        bias: float32 [out].
    """

    name: str
    weight: Float32Array
    bias: Float32Array | None = None

    @classmethod
    def of(cls, weights: Weights, name: str) -> "Linear":
        """The layer whose parameters are `name`.weight and, if present, `name`.bias."""
        return cls(name, weights[f"{name}.weight"], weights.get(f"{name}.bias"))

    @classmethod
    def joined(cls, name: str, parts: "Sequence[Linear]") -> "Linear":
        """Several layers of the same input as one layer; their outputs are concatenated."""
        biases = [part.bias for part in parts if part.bias is not None]
        weight = np.concatenate([part.weight for part in parts])
        return cls(name, weight, np.concatenate(biases) if biases else None)

    def scaled(self, factor: float) -> "Linear":
        """The layer whose output is `factor` times this one's."""
        bias = None if self.bias is None else self.bias * np.float32(factor)
        return Linear(self.name, self.weight * np.float32(factor), bias)


@dataclass(frozen=True)
class Norm:
    """Layer normalization (Ba et al. 2016); without a bias, RMS normalization (Zhang and Sennrich 2019).

    Attributes:
        gain, bias: float32 [width].
    """

    name: str
    gain: Float32Array
    bias: Float32Array | None
    epsilon: float

    def scaled(self, factor: float) -> "Norm":
        """The normalization whose output is `factor` times this one's."""
        bias = None if self.bias is None else self.bias * np.float32(factor)
        return Norm(self.name, self.gain * np.float32(factor), bias, self.epsilon)
