"""Weights that a checkpoint holds as 8-bit numbers: int8 graphs take them as they are, without a second rounding."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from regard.arrays import Float32Array


@dataclass(frozen=True)
class Int8Weight:
    """A matrix: weight = scale * quantized.

    Attributes:
        quantized: int8 [out, in], from -127 to 127.
        scales: float32 [out].
    """

    quantized: NDArray[np.int8]
    scales: Float32Array

    @classmethod
    def joined(cls, parts: "Sequence[Int8Weight | None]") -> "Int8Weight | None":
        """Several matrices of the same input as one; None if the checkpoint holds any of them as floats."""
        found = [part for part in parts if part is not None]
        if len(found) < len(parts):
            return None
        return cls(np.concatenate([part.quantized for part in found]), np.concatenate([part.scales for part in found]))

    def scaled(self, factor: float) -> "Int8Weight":
        """The matrix times a factor."""
        return replace(self, scales=self.scales * np.float32(factor))

    @property
    def weight(self) -> Float32Array:
        """float32 [out, in]."""
        return self.quantized * self.scales[:, None]
