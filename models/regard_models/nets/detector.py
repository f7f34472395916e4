"""A convolutional detector of objects with a non-local block (Wang et al. 2018, "Non-local Neural Networks").

Objects are points (Zhou et al. 2019, "Objects as Points"): each cell of a coarse grid says of each label how sure it is
that an object's centre lies in it, and where the object's box is. A cell sees its neighbourhood through
the convolutions (`DetectorConfig.reach`); through the non-local block, by which it attends to every cell, all of it.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from regard_models.attention.non_local import NonLocalBlock
from regard_models.nets.convolution import Convolution, folded_weights

STRIDE = 4
"""Pixels of a cell's side: the first two convolutions halve the picture twice."""

SUPPRESSION = 20.0
"""How much a label's logit falls for each unit that the surest of the cell's neighbours is above it."""

NO_OBJECT = -30.0
"""The least logit of a candidate: a probability of 1e-13."""

BIAS_OF_RARE = -4.0
"""Of labels' logits before training: nearly all cells hold no centre (Lin et al. 2017, "Focal Loss", section 4.1)."""


@dataclass(frozen=True)
class DetectorConfig:
    """The architecture.

    Attributes:
        labels: what an object may be.
        image_size: side of the square picture, in pixels; a multiple of 4.
        widths: channels after the first, the second and all further convolutions.
        depth: convolutions on the grid before the non-local block.
        inner_channels: of the block's query, key and value.
        is_non_local: whether there is a block.
        mean, std: of pixels from 0 to 255: the net reads (value - mean) / std.
    """

    labels: tuple[str, ...]
    image_size: int = 80
    widths: tuple[int, int, int] = (16, 32, 48)
    depth: int = 2
    inner_channels: int = 24
    is_non_local: bool = True
    mean: float = 127.5
    std: float = 127.5

    def __post_init__(self) -> None:
        if self.image_size < STRIDE or self.image_size % STRIDE:
            raise ValueError(f"image_size is {self.image_size}; it must be a multiple of {STRIDE}")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.image_size // STRIDE, self.image_size // STRIDE

    @property
    def reach(self) -> int:
        """How many pixels beyond its own a cell sees by convolutions; the non-local block sees all."""
        return STRIDE * (self.depth + 1) + 3  # 3 of the two that halve, and a cell for each other

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "DetectorConfig":
        """The config of these fields; lists become tuples."""
        own: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**own)


@dataclass(frozen=True)
class DetectorOutput:
    """What the net says of a batch.

    Attributes:
        logits: float [pictures, labels, rows, columns]; the logistic function of one is the probability that an object
            of this label has its centre in the cell.
        geometry: float [pictures, 4, rows, columns]; the logistic functions are the centre's place within the cell,
            from left and from top, and the box's width and height as parts of the picture's.
        weights: float [pictures, cells, cells], how much each cell attends to each; None without a non-local block.
    """

    logits: Tensor
    geometry: Tensor
    weights: Tensor | None

    def decoded(self) -> tuple[Tensor, Tensor]:
        """The candidates, one a cell, row by row.

        Returns:
            logits: float [pictures, cells, labels], lowered where one of the eight neighbours is surer of the label, so
                that an object has one candidate. Unlike a comparison, this does not depend on how ties are rounded.
            boxes: float [pictures, cells, 4], centre x, centre y, width and height as parts of the picture's sides.
        """
        best = functional.max_pool2d(self.logits, 3, stride=1, padding=1)
        logits = (self.logits - SUPPRESSION * (best - self.logits)).clamp(min=NO_OBJECT)
        x, y, width, height = self.geometry.sigmoid().unbind(dim=1)
        rows, columns = x.shape[-2:]
        x = (x + torch.arange(columns, device=x.device)) / columns
        y = (y + torch.arange(rows, device=y.device)[:, None]) / rows
        boxes = torch.stack([x, y, width, height], dim=1)
        return logits.flatten(2).transpose(1, 2), boxes.flatten(2).transpose(1, 2)


class Detector(nn.Module):
    """The net.

    Args:
        has_norms: whether batch normalizations (Ioffe and Szegedy 2015) follow the convolutions, for training;
            `folded_weights` are those of the same net without them.
    """

    def __init__(self, config: DetectorConfig, *, has_norms: bool = False) -> None:
        super().__init__()
        self.config = config
        first, second, width = config.widths
        layers = [
            Convolution(3, first, stride=2, has_norm=has_norms),
            Convolution(first, second, stride=2, has_norm=has_norms),
        ]
        for layer in range(config.depth):
            layers.append(Convolution(second if layer == 0 else width, width, has_norm=has_norms))
        self.layers = nn.ModuleList(layers)
        self.non_local = NonLocalBlock(width, inner_channels=config.inner_channels) if config.is_non_local else None
        if self.non_local is not None:
            # The block's own start is the identity, which gives queries, keys and values no gradient.
            self.non_local.output.reset_parameters()
        self.mixing = Convolution(width, width, has_norm=has_norms)
        self.labels = nn.Conv2d(width, len(config.labels), 1)
        self.geometry = nn.Conv2d(width, 4, 1)
        if self.labels.bias is not None:
            nn.init.constant_(self.labels.bias, BIAS_OF_RARE)

    def forward(self, pixels: Tensor) -> DetectorOutput:
        """pixels: float [pictures, 3, height, width]."""
        x, weights = pixels, None
        for layer in self.layers:
            x = layer(x)
        if self.non_local is not None:
            x, weights = self.non_local(x)
        x = self.mixing(x)
        return DetectorOutput(self.labels(x), self.geometry(x), weights)

    def folded_weights(self) -> dict[str, Tensor]:
        """The weights of the net without normalizations that computes what this one computes in evaluation."""
        return folded_weights(self)
