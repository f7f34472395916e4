"""The project's own description of an encoder-decoder transformer: what families map to and graphs are built from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from regard_models.nets.transformer import (
    Side,
    Transformer,
    TransformerConfig,
    TransformerDecoder,
    distances,
    sinusoids,
)
from torch import nn

from regard.arrays import Float32Array
from regard_export.errors import WeightsDoNotFit
from regard_export.precision.quantize import Linear

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class Norm:
    """Layer normalization (Ba et al. 2016), or without a bias RMS normalization: float32 [width] each."""

    name: str
    gain: Float32Array
    bias: Float32Array | None
    epsilon: float

    def scaled(self, factor: float) -> "Norm":
        bias = None if self.bias is None else self.bias * np.float32(factor)
        return Norm(self.name, self.gain * np.float32(factor), bias, self.epsilon)


@dataclass(frozen=True)
class Description:
    """An architecture and its weights.

    Attributes:
        weights: float32, by the parameter names of `Transformer`; "head.weight" only where it is not tied.
        banned_ids: tokens that are never generated, such as the padding of models that start with it.
    """

    config: TransformerConfig
    weights: Mapping[str, Float32Array]
    banned_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        faults = self._weight_faults()
        if faults:
            raise WeightsDoNotFit("the weights do not fit the architecture: " + "; ".join(faults))

    def net(self) -> nn.Module:
        """An untrained net of this architecture."""
        return Transformer(self.config)

    def _weight_faults(self) -> list[str]:
        """Names every missing, unexpected, misshapen or non-finite weight."""
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

    def linear(self, name: str) -> Linear:
        return Linear(name, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def norm(self, name: str) -> Norm:
        bias = self.weights.get(f"{name}.bias")
        return Norm(name, self.weights[f"{name}.weight"], bias, self.config.norm_epsilon)

    @property
    def embedding(self) -> Float32Array:
        """float32 [vocabulary, width], before any scale."""
        return self.weights["embedding.weight"]

    @property
    def source_embedding(self) -> Float32Array:
        """The encoder's, which is the decoder's too unless their vocabularies differ."""
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
        """float32 [max_positions, width]; None where positions are relative."""
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
        """What each head adds to a score, by how far the key lies behind (decoder) or ahead (encoder) of the query.

        Returns:
            float32 [heads, max_distance + 1] of the decoder, for distances from 0;
            float32 [heads, 2 * max_distance + 1] of the encoder, for distances from -max_distance.
        """
        config, farthest = self.config, self.config.relative_max_distance
        ahead = side == "encoder"
        bias = distances(config.of_encoder if ahead else config, bidirectional=ahead)
        bias.table.weight.copy_(torch.from_numpy(np.array(self.weights[f"{side}_distances.table.weight"])))
        keys = torch.arange(2 * farthest + 1 if ahead else farthest + 1)
        found: Float32Array = bias(torch.tensor([farthest]), keys)[0, :, 0].numpy()
        return found if ahead else np.ascontiguousarray(found[:, ::-1])

    def module(self) -> Transformer:
        """The same model in PyTorch, ready to run."""
        return self.fill(Transformer(self.config))

    def fill(self, net: Net) -> Net:
        """Gives a net of this architecture these weights."""
        weights = {name: torch.from_numpy(np.array(x)) for name, x in self.weights.items()}
        if self.config.tie_embeddings:
            weights["head.weight"] = weights["embedding.weight"]
        net.load_state_dict(weights)
        return net.eval()


class DecoderDescription(Description):
    """A decoder alone, by the parameter names of `TransformerDecoder`; what it attends to is any encoder's."""

    def net(self) -> TransformerDecoder:
        return TransformerDecoder(self.config)
