"""A transformer's config and weights, from which graphs are built, without PyTorch."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from regard.arrays import Float32Array
from regard_export.descriptions.layers import Linear, Norm, Weights
from regard_models.nets.transformer_config import Side, TransformerConfig


@dataclass(frozen=True)
class TransformerWeights(ABC):
    """An encoder-decoder transformer's config and weights.

    Attributes:
        weights: float32, by the parameter names of `regard_models.nets.transformer.Transformer`; a tied "head.weight"
            is left out.
        banned_ids: tokens that are never generated, such as the padding of models that start with it.
        is_renormalized: whether the probabilities of the other tokens sum to 1; else those of all tokens do.
    """

    config: TransformerConfig
    weights: Weights
    banned_ids: tuple[int, ...] = ()
    is_renormalized: bool = True

    @abstractmethod
    def positions(self, side: Side) -> Float32Array | None:
        """The position table of a side, float32 [max_positions, width]; None where positions are relative."""

    @abstractmethod
    def distance_bias(self, side: Side) -> Float32Array:
        """Each head's bias by the key's distance behind the query (decoder) or ahead of it (encoder).

        Returns:
            decoder: float32 [heads, max_distance + 1], from distance 0 on;
            encoder: float32 [heads, 2 * max_distance + 1], from distance -max_distance on.
        """

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return sum(weight.nbytes for weight in self.weights.values())

    def linear(self, name: str) -> Linear:
        """The linear layer of this name."""
        return Linear.of(self.weights, name)

    def norm(self, name: str) -> Norm:
        """The normalization of this name."""
        bias = self.weights.get(f"{name}.bias")
        return Norm(name, self.weights[f"{name}.weight"], bias, self.config.norm_epsilon)

    @property
    def embedding(self) -> Float32Array:
        """The decoder's embedding table, float32 [vocabulary, width], unscaled."""
        return self.weights["embedding.weight"]

    @property
    def source_embedding(self) -> Float32Array:
        """The encoder's embedding table; the decoder's unless their vocabularies differ."""
        return self.weights.get("source_embedding.weight", self.embedding)

    @property
    def head(self) -> Linear:
        """The projection to the vocabulary; banned tokens that no probability counts have a bias of minus infinity."""
        name = "embedding" if self.config.tie_embeddings else "head"
        bias = self.weights.get("head.bias")
        if self.banned_ids and self.is_renormalized:
            bias = np.zeros(self.config.vocab_size, np.float32) if bias is None else bias.copy()
            bias[list(self.banned_ids)] = -np.inf
        return Linear(name, self.weights[f"{name}.weight"], bias)
