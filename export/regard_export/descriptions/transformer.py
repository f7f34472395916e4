"""The project's description of a transformer: families map checkpoints to it, and graphs are built from it."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from regard.arrays import Float32Array
from regard_export.descriptions.layers import Linear, Norm, Weights
from regard_export.errors import WeightsDoNotFit
from regard_models.nets.transformer import (
    Side,
    Transformer,
    TransformerConfig,
    TransformerDecoder,
    distances,
    sinusoids,
)

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class TransformerDescription:
    """An encoder-decoder transformer's config and weights.

    Attributes:
        weights: float32, by the parameter names of `Transformer`; a tied "head.weight" is left out.
        banned_ids: tokens that are never generated, such as the padding of models that start with it.

    Raises:
        WeightsDoNotFit: names every missing, unexpected, misshapen or non-finite weight.
    """

    config: TransformerConfig
    weights: Weights
    banned_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        faults = self._weight_faults()
        if faults:
            raise WeightsDoNotFit("the weights do not fit the architecture: " + "; ".join(faults))

    def net(self) -> nn.Module:
        """An untrained net of this architecture."""
        return Transformer(self.config)

    def _weight_faults(self) -> list[str]:
        with torch.device("meta"):
            expected = {name: tuple(x.shape) for name, x in self.net().state_dict().items()}
        if self.config.tie_embeddings:
            del expected["head.weight"]
        faults = [f"{name} is missing" for name in expected if name not in self.weights]
        faults += [f"{name} is unexpected" for name in self.weights if name not in expected]
        for name in expected.keys() & self.weights.keys():
            if self.weights[name].shape != expected[name]:
                faults.append(f"{name} has shape {self.weights[name].shape}, not {expected[name]}")
            elif not np.isfinite(self.weights[name]).all():
                faults.append(f"{name} is not finite")
        return sorted(faults)

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
        """The projection to the vocabulary; banned tokens have a bias of minus infinity."""
        name = "embedding" if self.config.tie_embeddings else "head"
        bias = self.weights.get("head.bias")
        if self.banned_ids:
            bias = np.zeros(self.config.vocab_size, np.float32) if bias is None else bias.copy()
            bias[list(self.banned_ids)] = -np.inf
        return Linear(name, self.weights[f"{name}.weight"], bias)

    def positions(self, side: Side) -> Float32Array | None:
        """The position table of a side, float32 [max_positions, width]; None where positions are relative."""
        match self.config.positions:
            case "learned":
                return self.weights[f"{side}_positions.weight"]
            case "sinusoidal":
                table: Float32Array = sinusoids(self.config.max_positions, self.config.width).numpy()
                return table
            case "relative":
                return None

    @torch.inference_mode()
    def distance_bias(self, side: Side) -> Float32Array:
        """Each head's bias by the key's distance behind the query (decoder) or ahead of it (encoder).

        Returns:
            decoder: float32 [heads, max_distance + 1], from distance 0 on;
            encoder: float32 [heads, 2 * max_distance + 1], from distance -max_distance on.
        """
        config, max_distance = self.config, self.config.relative_max_distance
        is_encoder = side == "encoder"
        bias = distances(config.of_encoder if is_encoder else config, bidirectional=is_encoder)
        bias.table.weight.copy_(torch.from_numpy(np.array(self.weights[f"{side}_distances.table.weight"])))
        keys = torch.arange(2 * max_distance + 1 if is_encoder else max_distance + 1)
        by_key: Float32Array = bias(torch.tensor([max_distance]), keys)[0, :, 0].numpy()
        return by_key if is_encoder else np.ascontiguousarray(by_key[:, ::-1])

    def module(self) -> Transformer:
        """The PyTorch model with these weights, in eval mode."""
        return self.fill(Transformer(self.config))

    def fill(self, net: Net) -> Net:
        """Loads these weights into a net of this architecture; returns it in eval mode."""
        weights = {name: torch.from_numpy(np.array(x)) for name, x in self.weights.items()}
        if self.config.tie_embeddings:
            weights["head.weight"] = weights["embedding.weight"]
        net.load_state_dict(weights)
        return net.eval()


class DecoderDescription(TransformerDescription):
    """A decoder alone, by the parameter names of `TransformerDecoder`; it attends to the states of any encoder."""

    def net(self) -> TransformerDecoder:
        """An untrained decoder of this architecture."""
        return TransformerDecoder(self.config)
