"""A net that answers questions about pictures: cells of a picture and words of a question attend to each other.

    v = conv(picture) + position,   w = LN(token + position),   [w'; v'] = fusion(w, v),   logits = W (w'_0 * mean v')

The fusion is that of `cross_modal.py` (Tan & Bansal 2019, section 2.2), between the feature map of a small
convolutional net and the question's words. Normalizations come first, so that the mean of the cells keeps what the
few cells of a shape add. The answer is read from the elementwise product of both sides, so that the question chooses
what is read from the picture: of the first word, a class token, and of the mean of the cells.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from regard_models.nets.bert import BertConfig, BertEncoder
from regard_models.nets.cross_modal import CrossModalConfig, CrossModalFusion, CrossModalOutput


@dataclass(frozen=True)
class AnswererConfig:
    """The architecture.

    Attributes:
        image_size: height and width of pictures, in pixels.
        channels: of each convolution.
        strides: of each convolution; 2 halves height and width.
        num_labels: number of answers.
    """

    image_size: int
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    text: BertConfig
    fusion: CrossModalConfig
    num_labels: int

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        side = self.image_size // math.prod(self.strides)
        return side, side

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        return self.grid[0] * self.grid[1]

    def to_json(self) -> dict[str, Any]:
        """The options for a checkpoint's config.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> "AnswererConfig":
        """The inverse of `to_json`."""
        return cls(
            image_size=options["image_size"],
            channels=tuple(options["channels"]),
            strides=tuple(options["strides"]),
            text=BertConfig.from_json(options["text"]),
            fusion=CrossModalConfig(**options["fusion"]),
            num_labels=options["num_labels"],
        )


class Answerer(nn.Module):
    """Convolutions with batch normalization (Ioffe & Szegedy 2015), word embeddings, fusion, and a linear layer.

    Args:
        config: the architecture.
        dropout: probability, in training only, of embeddings and fusion.
        is_folded: whether the normalizations are in the convolutions, as in checkpoints.

    Raises:
        ValueError: the sizes do not fit each other.
    """

    def __init__(self, config: AnswererConfig, *, dropout: float = 0.0, is_folded: bool = False) -> None:
        super().__init__()
        if (config.channels[-1], config.text.width) != (config.fusion.region_width, config.fusion.text_width):
            raise ValueError("the fusion's region_width and text_width are not those of cells and words")
        if config.image_size % math.prod(config.strides):
            raise ValueError(f"strides of {config.strides} do not divide {config.image_size} pixels")
        self.config = config
        inputs = (3, *config.channels[:-1])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, kernel_size=3, stride=stride, padding=1)
            for before, after, stride in zip(inputs, config.channels, config.strides, strict=True)
        )
        self.norms = nn.ModuleList(
            nn.Identity() if is_folded else nn.BatchNorm2d(channels) for channels in config.channels
        )
        self.positions = nn.Parameter(torch.zeros(config.num_cells, config.channels[-1]))
        self.words = BertEncoder(config.text, dropout=dropout)
        self.fusion = CrossModalFusion(config.fusion, dropout=dropout)
        self.head = nn.Linear(config.fusion.width, config.num_labels)

    @torch.no_grad()
    def fold(self) -> None:
        """Merges the normalizations, with their running means and variances, into the convolutions."""
        for index, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            if isinstance(norm, nn.BatchNorm2d) and isinstance(convolution, nn.Conv2d):
                _merge(norm, convolution)
            self.norms[index] = nn.Identity()

    def cells(self, pixels: Tensor) -> Tensor:
        """float [batch, 3, height, width] -> float [batch, cells, channels], row by row."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            pixels = torch.relu(norm(convolution(pixels)))
        return pixels.flatten(2).transpose(1, 2) + self.positions

    def fused(self, cells: Tensor, ids: Tensor, mask: Tensor | None, *, need_weights: bool = False) -> CrossModalOutput:
        """Fuses cells, float [batch, cells, channels], with questions, int64 [batch, text]; mask: see `forward`."""
        words, _ = self.words(ids, mask)
        fused: CrossModalOutput = self.fusion(cells, words, None, mask, need_weights=need_weights)
        return fused

    def forward(
        self, pixels: Tensor, ids: Tensor, mask: Tensor | None = None, picture_of: Tensor | None = None
    ) -> Tensor:
        """Answers questions.

        Args:
            pixels: float [pictures, 3, height, width].
            ids: int64 [batch, text], each question behind a class token.
            mask: bool [batch, text], False on padding; None means no padding.
            picture_of: int64 [batch], each question's picture; None means one for each.

        Returns:
            logits: float [batch, labels].
        """
        cells = self.cells(pixels)
        cells = cells if picture_of is None else cells[picture_of]
        fused = self.fused(cells, ids, mask)
        logits: Tensor = self.head(fused.text[:, 0] * fused.regions.mean(dim=1))
        return logits


def _merge(norm: nn.BatchNorm2d, convolution: nn.Conv2d) -> None:
    """Merges a normalization into the convolution before it."""
    if norm.running_mean is None or norm.running_var is None or convolution.bias is None:
        raise ValueError("the normalization keeps no running mean, or the convolution has no bias")
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    convolution.weight.mul_(factor[:, None, None, None])
    convolution.bias.sub_(norm.running_mean).mul_(factor).add_(norm.bias)
