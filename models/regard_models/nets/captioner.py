"""The interface of captioners: a frozen convolutional encoder, attention over its feature map, and a decoder that
generates one token at a time.

A captioner has two interfaces. `forward` takes whole captions, for training; `memory`, `start` and `step` generate
tokens one by one, for searches, and export makes graphs of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from regard_models.attention.cbam import SpatialAttention
from regard_models.attention.non_local import NonLocalBlock
from regard_models.attention.squeeze_excitation import SqueezeExcitation
from regard_models.nets.efficientnet import EfficientNet, EfficientNetConfig

Block = Literal["squeeze_excitation", "spatial", "non_local"]
Tensors = tuple[Tensor, ...]


@dataclass(frozen=True)
class CaptionOutput:
    """One teacher-forced pass.

    Attributes:
        logits: float [images, captions, target, vocabulary].
        cross_attention: one float [images, captions, heads, target, positions] a decoder layer.
    """

    logits: Tensor
    cross_attention: list[Tensor]


@dataclass(frozen=True)
class CaptionStep:
    """One position of every row.

    Attributes:
        logits: float [rows, vocabulary].
        cross_attention: one float [rows, heads, positions] a decoder layer.
        state: the state for the next step.
    """

    logits: Tensor
    cross_attention: list[Tensor]
    state: Tensors


class FeatureBlocks(nn.Module):
    """Attention within the feature map, before the decoder reads it: over channels, over positions, or non-local.

    Args:
        blocks: the kinds of attention, in order.
        channels: channels of the feature map.
    """

    def __init__(self, blocks: Sequence[Block], channels: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_block(name, channels) for name in blocks)

    def forward(self, features: Tensor) -> Tensor:
        """features: float [images, channels, rows, columns] -> the same shape."""
        for block in self.blocks:
            features, _ = block(features)
        return features


def _block(name: Block, channels: int) -> nn.Module:
    match name:
        case "squeeze_excitation":
            return SqueezeExcitation(channels)
        case "spatial":
            return SpatialAttention()
        case "non_local":
            return NonLocalBlock(channels)


class Captioner(nn.Module, ABC):
    """A frozen `EfficientNet` and optional blocks; subclasses add the decoder.

    Args:
        encoder: the convolutional encoder's architecture.
        blocks: attention within the feature map.
    """

    def __init__(self, encoder: EfficientNetConfig, blocks: Sequence[Block]) -> None:
        super().__init__()
        self.encoder = EfficientNet(encoder).requires_grad_(False)
        self.blocks = FeatureBlocks(blocks, encoder.head_channels)

    @torch.no_grad()
    def features(self, pixels: Tensor) -> Tensor:
        """pixels: float [images, 3, height, width] -> float [images, channels, rows, columns], without gradient."""
        features: Tensor = self.encoder(pixels)
        return features

    def positions(self, features: Tensor) -> Tensor:
        """Features after the blocks, row by row: float [images, positions, channels]."""
        attended: Tensor = self.blocks(features)
        return attended.flatten(2).transpose(1, 2)

    @abstractmethod
    def forward(self, features: Tensor, target: Tensor) -> CaptionOutput:
        """Runs one teacher-forced pass over several captions per image.

        Args:
            features: float [images, channels, rows, columns].
            target: int64 [images, captions, target]; the start token first.
        """

    @abstractmethod
    def memory(self, features: Tensor) -> Tensors:
        """The tensors that steps read of an image; their first axis is images."""

    @abstractmethod
    def start(self, memory: Tensors) -> Tensors:
        """The state before the first token, one row per image: tensors whose first axis is rows."""

    @abstractmethod
    def step(self, tokens: Tensor, memory: Tensors, state: Tensors) -> CaptionStep:
        """Runs one position.

        Args:
            tokens: int64 [rows]; the last token of each row, initially the start token.
            memory: from `memory`, with one entry per row.
            state: from `start` or from the last step; a search may have reordered its rows.
        """
