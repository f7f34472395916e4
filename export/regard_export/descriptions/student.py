"""Marian's transformer, whose decoder may have SSRU layers (Kim et al. 2019) in place of self-attention."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from regard.arrays import Float32Array
from regard_export.descriptions.int8_weights import Int8Weight
from regard_export.descriptions.layers import Linear
from regard_export.descriptions.marian_positions import signal
from regard_export.descriptions.transformer_weights import TransformerWeights
from regard_models.nets.transformer_config import Side


@dataclass(frozen=True)
class StudentDescription(TransformerWeights):
    """A description in the terms of `Transformer`, but for these differences.

    - The decoder reads a vector of zeros in place of its first token's embedding.
    - `marian_positions.signal` computes the position codes.
    - A decoder layer with an SSRU has "decoder.N.ssru.forget" and "decoder.N.ssru.input" (without a bias); its
      normalization is "decoder.N.self_attention_sublayer.norm".

    Attributes:
        int8: weights that the checkpoint holds as 8-bit numbers, by the layers' names.
        cell: the first sublayer of each decoder layer.
    """

    int8: Mapping[str, Int8Weight] = field(default_factory=dict)
    cell: Literal["ssru", "self-attention"] = "ssru"

    def linear(self, name: str) -> Linear:
        """The linear layer of this name, with the checkpoint's 8-bit numbers."""
        return replace(super().linear(name), int8=self.int8.get(name))

    def ssru(self, layer: int) -> Linear:
        """The forget gate and the candidate W x of a decoder layer's SSRU, as one layer."""
        forget, candidate = (self.linear(f"decoder.{layer}.ssru.{part}") for part in ("forget", "input"))
        candidate = replace(candidate, bias=np.zeros(len(candidate.weight), np.float32))
        return Linear.joined(f"decoder.{layer}.ssru", [forget, candidate])

    @property
    def head(self) -> Linear:
        """The projection to the vocabulary, with the checkpoint's 8-bit numbers."""
        head = super().head
        return replace(head, int8=self.int8.get(head.name))

    @property
    def int8_tables(self) -> tuple[Int8Weight, ...]:
        """Embedding tables that the checkpoint holds as 8-bit numbers, unscaled."""
        return tuple(self.int8[name] for name in ("embedding", "source_embedding") if name in self.int8)

    def positions(self, side: Side) -> Float32Array:
        """The position codes, the same for both sides: float32 [max_positions, width]."""
        return signal(np.arange(self.config.max_positions), self.config.width)

    def distance_bias(self, side: Side) -> Float32Array:
        """Raises TypeError: Marian's positions are absolute."""
        raise TypeError(f"the {side} of a student has no relative positions")
