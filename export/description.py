"""The project's own description of an encoder-decoder transformer: what families map to and graphs are built from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from export.errors import ExportError
from export.quantize import Linear
from models.nets.transformer import Transformer, TransformerConfig, TransformerDecoder, sinusoids

Float32Array = NDArray[np.float32]


@dataclass(frozen=True)
class Norm:
    """Layer normalization (Ba et al. 2016): float32 [width] each."""

    name: str
    gain: Float32Array
    bias: Float32Array
    epsilon: float = 1e-5

    def scaled(self, factor: float) -> "Norm":
        return Norm(self.name, self.gain * np.float32(factor), self.bias * np.float32(factor), self.epsilon)


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

    net: ClassVar[type[TransformerDecoder]] = Transformer

    def __post_init__(self) -> None:
        faults = _weight_faults(self.net, self.config, self.weights)
        if faults:
            raise ExportError("the weights do not fit the architecture: " + "; ".join(faults))

    def linear(self, name: str) -> Linear:
        return Linear(name, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def norm(self, name: str) -> Norm:
        return Norm(name, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], self.config.norm_epsilon)

    @property
    def embedding(self) -> Float32Array:
        """float32 [vocabulary, width], before any scale."""
        return self.weights["embedding.weight"]

    @property
    def head(self) -> Linear:
        """The projection to the vocabulary; banned tokens have a bias of minus infinity."""
        name = "embedding" if self.config.tie_embeddings else "head"
        bias = self.weights.get("head.bias")
        if self.banned_ids:
            bias = np.zeros(self.config.vocab_size, np.float32) if bias is None else bias.copy()
            bias[list(self.banned_ids)] = -np.inf
        return Linear(name, self.weights[f"{name}.weight"], bias)

    def positions(self, side: str) -> Float32Array:
        """float32 [max_positions, width] of the "encoder" or the "decoder"."""
        if self.config.positions == "learned":
            return self.weights[f"{side}_positions.weight"]
        table: Float32Array = sinusoids(self.config.max_positions, self.config.width).numpy()
        return table

    def module(self) -> Transformer:
        """The same model in PyTorch, ready to run."""
        net = Transformer(self.config)
        self.fill(net)
        return net

    def fill(self, net: TransformerDecoder) -> None:
        """Gives a net of this architecture these weights."""
        weights = {name: torch.from_numpy(np.array(x)) for name, x in self.weights.items()}
        if self.config.tie_embeddings:
            weights["head.weight"] = weights["embedding.weight"]
        net.load_state_dict(weights)
        net.eval()


class DecoderDescription(Description):
    """A decoder alone, by the parameter names of `TransformerDecoder`; what it attends to is any encoder's."""

    net: ClassVar[type[TransformerDecoder]] = TransformerDecoder


def _weight_faults(
    net: type[TransformerDecoder], config: TransformerConfig, weights: Mapping[str, Float32Array]
) -> list[str]:
    """Names every missing, unexpected, misshapen or non-finite weight."""
    with torch.device("meta"):
        expected = {name: tuple(x.shape) for name, x in net(config).state_dict().items()}
    if config.tie_embeddings:
        del expected["head.weight"]
    faults = [f"{name} is missing" for name in expected if name not in weights]
    faults += [f"{name} is unexpected" for name in weights if name not in expected]
    for name in expected.keys() & weights.keys():
        if weights[name].shape != expected[name]:
            faults.append(f"{name} has shape {weights[name].shape}, not {expected[name]}")
        elif not np.isfinite(weights[name]).all():
            faults.append(f"{name} is not finite")
    return sorted(faults)
