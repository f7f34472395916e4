"""A transformer of this project in PyTorch: families map checkpoints to it, and graphs are built from it."""

from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import torch
from torch import nn

from regard.arrays import Float32Array
from regard_export.descriptions.head_widths import with_kernel_head_width
from regard_export.descriptions.transformer_weights import TransformerWeights
from regard_export.errors import WeightsDoNotFit, listed
from regard_models.nets.transformer import Transformer, TransformerDecoder, distances, sinusoids
from regard_models.nets.transformer_config import Side

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class TransformerDescription(TransformerWeights):
    """An encoder-decoder transformer of `Transformer`, with which its weights are compared.

    Heads that the decoder's kernel does not take are padded.

    Attributes:
        has_decoder: whether a decoder reads these weights.

    Raises:
        WeightsDoNotFit: names every missing, unexpected, misshapen or non-finite weight.
    """

    has_decoder: ClassVar[bool] = True

    def __post_init__(self) -> None:
        faults = self._weight_faults()
        if faults:
            raise WeightsDoNotFit("the weights do not fit the architecture: " + listed(faults))
        if self.has_decoder:
            config, weights = with_kernel_head_width(self.config, self.weights)
            object.__setattr__(self, "config", config)  # the class is frozen
            object.__setattr__(self, "weights", weights)

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

    def positions(self, side: Side) -> Float32Array | None:
        """See `TransformerWeights`."""
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
        """See `TransformerWeights`."""
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
