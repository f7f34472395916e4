"""A small convolutional classifier whose feature maps attention gates: squeeze-and-excitation (Hu et al. 2018) or CBAM
(Woo et al. 2018).

All gated feature maps have the same channels and the same cells, so that the gates of all layers form one matrix.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from regard_models.attention.cbam import ConvolutionalBlockAttention
from regard_models.attention.squeeze_excitation import SqueezeExcitation
from regard_models.nets.convolution import Convolution, folded_weights

STRIDE = 4
"""Pixels of a cell's side: the first two convolutions halve the picture twice."""

Gate = Literal["none", "squeeze_excitation", "cbam"]
"""What follows each gated convolution."""


@dataclass(frozen=True)
class GatedClassifierConfig:
    """The architecture.

    Attributes:
        labels: what a picture may show; one of them.
        image_size: side of the square picture, in pixels; a multiple of 4.
        widths: channels after the first convolution, and after all others.
        depth: convolutions that yield cells, each with a gate.
        gate: its kind.
        reduction: r of the gates of channels.
        kernel_size: of the convolution that makes CBAM's gates of positions.
        mean, std: of pixels from 0 to 255: the net reads (value - mean) / std.
    """

    labels: tuple[str, ...]
    image_size: int = 48
    widths: tuple[int, int] = (16, 32)
    depth: int = 4
    gate: Gate = "cbam"
    reduction: int = 4
    kernel_size: int = 7
    mean: float = 127.5
    std: float = 127.5

    def __post_init__(self) -> None:
        if self.image_size < STRIDE or self.image_size % STRIDE:
            raise ValueError(f"image_size is {self.image_size}; it must be a multiple of {STRIDE}")
        if self.depth < 1:
            raise ValueError(f"depth is {self.depth}; it must be at least 1")
        if self.gate not in get_args(Gate):
            raise ValueError(f"gate is {self.gate!r}; it must be one of {', '.join(get_args(Gate))}")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.image_size // STRIDE, self.image_size // STRIDE

    @property
    def reach(self) -> int:
        """How many pixels beyond its own a cell sees by convolutions; what a gate has pooled comes from everywhere."""
        return STRIDE * (self.depth - 1) + 3  # 3 of the two that halve, and a cell for each other

    @property
    def has_channel_gates(self) -> bool:
        """Whether channels are weighed."""
        return self.gate != "none"

    @property
    def has_spatial_gates(self) -> bool:
        """Whether positions are weighed."""
        return self.gate == "cbam"

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "GatedClassifierConfig":
        """The config of these fields; lists become tuples."""
        own: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**own)


@dataclass(frozen=True)
class GatedOutput:
    """What the net says of a batch.

    Attributes:
        logits: float [pictures, labels]; their softmax is the probabilities.
        channel: float [pictures, layers, channels], the gates of channels; None if there are none.
        spatial: float [pictures, layers, rows, columns], the gates of positions; None if there are none.
    """

    logits: Tensor
    channel: Tensor | None
    spatial: Tensor | None


class GatedClassifier(nn.Module):
    """The net: convolutions, each but the first with a gate, the mean over cells, two linear layers.

    Args:
        has_norms: whether batch normalizations (Ioffe and Szegedy 2015) follow the convolutions, for training;
            `folded_weights` are those of the same net without them.
    """

    def __init__(self, config: GatedClassifierConfig, *, has_norms: bool = False) -> None:
        super().__init__()
        self.config = config
        first, width = config.widths
        self.stem = Convolution(3, first, stride=2, has_norm=has_norms)
        layers = [Convolution(first, width, stride=2, has_norm=has_norms)]
        layers += [Convolution(width, width, has_norm=has_norms) for _ in range(1, config.depth)]
        self.layers = nn.ModuleList(layers)
        self.gates = nn.ModuleList(_gate(config) for _ in range(config.depth))
        self.hidden = nn.Linear(width, 2 * width)
        self.labels = nn.Linear(2 * width, len(config.labels))

    def forward(self, pixels: Tensor) -> GatedOutput:
        """pixels: float [pictures, 3, height, width]."""
        x = self.stem(pixels)
        channel: list[Tensor] = []
        spatial: list[Tensor] = []
        for layer, gate in zip(self.layers, self.gates, strict=True):
            x = layer(x)
            if isinstance(gate, SqueezeExcitation):
                x, weights = gate(x)
                channel.append(weights)
            elif isinstance(gate, ConvolutionalBlockAttention):
                x, weights = gate.channel(x)
                channel.append(weights)
                x, weights = gate.spatial(x)
                spatial.append(weights)
        logits = self.labels(functional.relu(self.hidden(x.mean(dim=(2, 3)))))
        return GatedOutput(
            logits, torch.stack(channel, dim=1) if channel else None, torch.stack(spatial, dim=1) if spatial else None
        )

    def folded_weights(self) -> dict[str, Tensor]:
        """The weights of the net without normalizations that computes what this one computes in evaluation."""
        return folded_weights(self)


def _gate(config: GatedClassifierConfig) -> nn.Module:
    width, reduction = config.widths[-1], config.reduction
    if config.gate == "squeeze_excitation":
        return SqueezeExcitation(width, reduction=reduction)
    if config.gate == "cbam":
        return ConvolutionalBlockAttention(width, reduction=reduction, kernel_size=config.kernel_size)
    return nn.Identity()
