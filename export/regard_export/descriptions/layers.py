"""Weights of single layers, as every description hands them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from regard.arrays import Float32Array
from regard_export.descriptions.int8_weights import Int8Weight

Weights = Mapping[str, Float32Array]
"""A net's weights by parameter name."""


@dataclass(frozen=True)
class Linear:
    """y = x W^T + b.

    Attributes:
        weight: float32 [out, in], as PyTorch stores it.
        bias: float32 [out].
        int8: the weight as the checkpoint holds it, if it holds 8-bit numbers.
    """

    name: str
    weight: Float32Array
    bias: Float32Array | None = None
    int8: Int8Weight | None = None

    @classmethod
    def of(cls, weights: Weights, name: str) -> "Linear":
        """The layer whose parameters are `name`.weight and, if present, `name`.bias."""
        return cls(name, weights[f"{name}.weight"], weights.get(f"{name}.bias"))

    @classmethod
    def joined(cls, name: str, parts: "Sequence[Linear]") -> "Linear":
        """Several layers of the same input as one layer; their outputs are concatenated."""
        biases = [part.bias for part in parts if part.bias is not None]
        weight = np.concatenate([part.weight for part in parts])
        int8 = Int8Weight.joined([part.int8 for part in parts])
        return cls(name, weight, np.concatenate(biases) if biases else None, int8)

    def scaled(self, factor: float) -> "Linear":
        """The layer whose output is `factor` times this one's."""
        bias = None if self.bias is None else self.bias * np.float32(factor)
        int8 = None if self.int8 is None else self.int8.scaled(factor)
        return Linear(self.name, self.weight * np.float32(factor), bias, int8)


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
