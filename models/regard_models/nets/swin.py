"""The Swin transformer (Liu et al. 2021, "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows").

Attention is limited to windows of M x M positions; every second layer shifts them by M // 2, so that neighbouring
windows exchange information (section 3.2). Between stages, each 2 x 2 positions merge to one of twice the width
(section 3.1). `patch_distances.py` computes the bias on scores; the layers are those of
`models/regard_models/nets/transformer.py`, with normalizations first.

Indexes gather the positions of each window, and inverse indexes scatter them back. A grid that windows do not divide is
padded with zeros, which get attention like any position.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from regard_models.nets.patch_distances import PatchDistances
from regard_models.nets.transformer import Activation, EncoderLayer, TransformerConfig

SEPARATE = -100.0  # added to scores between positions that are neighbours only through the shift
MERGED = 2  # rows and columns that merge to one


@dataclass(frozen=True)
class SwinConfig:
    """The architecture.

    Attributes:
        patch_width: width of the first stage; each later stage is twice as wide as the one before.
        depths: layers of each stage.
        num_heads: heads of each stage.
        window: side of a window, M; no stage's grid may be smaller.
        feed_forward_ratio: inner width of the feed-forward sublayers over their outer width.
        absolute_positions: whether to add a learned vector per patch.
        norm_epsilon: of the layers and of the last normalization.
        final_norm: whether a normalization follows the last stage.
    """

    patch_width: int
    depths: tuple[int, ...]
    num_heads: tuple[int, ...]
    window: int
    feed_forward_ratio: float = 4.0
    image_height: int = 224
    image_width: int = 224
    patch_size: int = 4
    absolute_positions: bool = False
    activation: Activation = "gelu"
    norm_epsilon: float = 1e-5
    final_norm: bool = True

    @property
    def width(self) -> int:
        """Width of the states."""
        return self.patch_width * 2 ** (len(self.depths) - 1)

    @property
    def grids(self) -> list[tuple[int, int]]:
        """Rows and columns of each stage."""
        grids = [(self.image_height // self.patch_size, self.image_width // self.patch_size)]
        for _ in self.depths[1:]:
            rows, columns = grids[-1]
            grids.append((-(-rows // MERGED), -(-columns // MERGED)))
        return grids

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the states."""
        return self.grids[-1]

    @property
    def num_positions(self) -> int:
        """Number of positions of the states."""
        return self.grid[0] * self.grid[1]

    def layers(self, stage: int) -> TransformerConfig:
        """The configuration of a stage's layers."""
        width = self.patch_width * 2**stage
        return TransformerConfig(
            vocab_size=0,
            width=width,
            num_heads=self.num_heads[stage],
            encoder_layers=self.depths[stage],
            decoder_layers=0,
            feed_forward_width=int(self.feed_forward_ratio * width),
            activation=self.activation,
            final_norm=False,
            norm_epsilon=self.norm_epsilon,
            tie_embeddings=False,
        )

    def shift(self, stage: int, layer: int) -> int:
        """The shift of a layer's windows: M // 2 in every second layer, unless one window covers the grid."""
        return self.window // 2 if layer % 2 and min(self.grids[stage]) > self.window else 0

    def to_json(self) -> dict[str, Any]:
        """The options for a checkpoint's config.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> "SwinConfig":
        """The inverse of `to_json`."""
        return cls(**{**options, "depths": tuple(options["depths"]), "num_heads": tuple(options["num_heads"])})


class Merge(nn.Module):
    """Patch merging: concatenates each 2 x 2 positions, column by column, normalizes, and halves the width."""

    index: Tensor

    def __init__(self, grid: tuple[int, int], width: int) -> None:
        super().__init__()
        self.register_buffer("index", merge_index(grid), persistent=False)
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Float [batch, positions, width] -> [batch, fewer positions, 2 * width]."""
        joined = with_zero(x)[:, self.index].flatten(2)  # [batch, fewer positions, 4 * width]
        merged: Tensor = self.reduction(self.norm(joined))
        return merged


class WindowLayer(nn.Module):
    """A layer with self-attention within windows."""

    index: Tensor
    inverse: Tensor
    apart: Tensor

    def __init__(self, config: SwinConfig, stage: int, layer: int, dropout: float) -> None:
        super().__init__()
        sizes, grid, shift = config.layers(stage), config.grids[stage], config.shift(stage, layer)
        index = window_index(grid, config.window, shift)
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("inverse", inverse_index(index, grid[0] * grid[1]), persistent=False)
        self.register_buffer("apart", separations(grid, config.window, shift), persistent=False)
        self.layer = EncoderLayer(sizes, dropout)
        self.distances = PatchDistances((config.window, config.window), sizes.num_heads)

    def forward(self, x: Tensor) -> Tensor:
        """x: float [batch, positions, width]."""
        layer = self.layer
        x = layer.self_attention_sublayer.after(x, self._attend(layer.self_attention_sublayer.before(x)))
        return layer.feed_forward_sublayer.after(x, layer.feed_forward(layer.feed_forward_sublayer.before(x)))

    def _attend(self, y: Tensor) -> Tensor:
        """Self-attention within each window; y: float [batch, positions, width]."""
        windows = with_zero(y)[:, self.index].flatten(0, 1)  # [batch * windows, M * M, width]
        bias = (self.distances() + self.apart[:, None]).repeat(len(y), 1, 1, 1)
        update, _ = self.layer.self_attention(windows, windows, score_bias=bias, need_weights=False)
        return update.reshape(len(y), -1, y.shape[-1])[:, self.inverse]


class Swin(nn.Module):
    """Patches and stages.

    Args:
        config: the architecture.
        dropout: probability, in training only: on embeddings and on every sublayer's output.

    Raises:
        ValueError: a picture is not a whole number of patches, or a window is larger than a stage's grid.
    """

    def __init__(self, config: SwinConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        for side in (config.image_height, config.image_width):
            if side % config.patch_size:
                raise ValueError(f"{side} pixels are not a whole number of patches of {config.patch_size}")
        if min(config.grid) < config.window:
            raise ValueError(f"a window of {config.window} is larger than the last stage's grid {config.grid}")
        self.patches = nn.Conv2d(3, config.patch_width, config.patch_size, stride=config.patch_size)
        self.patch_norm = nn.LayerNorm(config.patch_width)
        if config.absolute_positions:
            rows, columns = config.grids[0]
            self.positions = nn.Parameter(torch.randn(rows * columns, config.patch_width) * 0.02)
        self.dropout = nn.Dropout(dropout)
        self.stages = nn.ModuleList(
            nn.Sequential(*(WindowLayer(config, stage, layer, dropout) for layer in range(depth)))
            for stage, depth in enumerate(config.depths)
        )
        self.merges = nn.ModuleList(
            Merge(grid, config.patch_width * 2**stage) for stage, grid in enumerate(config.grids[:-1])
        )
        self.encoder_norm = nn.LayerNorm(config.width, eps=config.norm_epsilon) if config.final_norm else nn.Identity()

    def forward(self, pixels: Tensor) -> Tensor:
        """Encodes a batch of pictures: float [batch, 3, height, width] -> [batch, positions, width], row by row."""
        x = self.patch_norm(self.patches(pixels).flatten(2).transpose(1, 2))
        x = self.dropout(x + self.positions if self.config.absolute_positions else x)
        for index, stage in enumerate(self.stages):
            x = stage(x if index == 0 else self.merges[index - 1](x))
        states: Tensor = self.encoder_norm(x)
        return states


def with_zero(x: Tensor) -> Tensor:
    """Appends a position of zeros, to which indexes of padding point; x: [batch, positions, width]."""
    return functional.pad(x, (0, 0, 0, 1))


def window_index(grid: tuple[int, int], window: int, shift: int) -> Tensor:
    """The positions of each window, row by row, on a grid that is padded and shifted up and left.

    Returns:
        int64 [windows, window * window]; rows * columns on padding.
    """
    rows, columns = grid
    filled_rows, filled_columns = (-(-side // window) * window for side in grid)
    filled = torch.full((filled_rows, filled_columns), rows * columns)
    filled[:rows, :columns] = torch.arange(rows * columns).reshape(rows, columns)
    return _windows(filled.roll((-shift, -shift), (0, 1)), window)


def inverse_index(index: Tensor, num_positions: int) -> Tensor:
    """The index of each position among the positions of all windows: int64 [num_positions]."""
    return torch.argsort(index.flatten(), stable=True)[:num_positions]


def separations(grid: tuple[int, int], window: int, shift: int) -> Tensor:
    """The bias that prevents attention between positions that share a window only through the shift.

    Returns:
        float [windows, window * window, window * window]: 0 or `SEPARATE`.
    """
    regions = window_regions(grid, window, shift)
    return (regions[:, :, None] != regions[:, None, :]).float() * SEPARATE


def window_regions(grid: tuple[int, int], window: int, shift: int) -> Tensor:
    """The number of the region that each position of each window is of; only those of one region attend to each other.

    Returns:
        int64 [windows, window * window].
    """
    filled = [-(-side // window) * window for side in grid]
    places = [torch.arange(side) for side in filled]
    parts = [(p >= side - window).long() + (p >= side - shift) for p, side in zip(places, filled, strict=True)]
    return _windows(3 * parts[0][:, None] + parts[1], window)


def merge_index(grid: tuple[int, int]) -> Tensor:
    """The four positions that merge to one: int64 [fewer positions, 4], column by column; rows * columns on padding."""
    return window_index(grid, MERGED, 0)[:, [0, 2, 1, 3]]


def _windows(x: Tensor, window: int) -> Tensor:
    """[rows, columns] -> [windows, window * window]."""
    rows, columns = x.shape
    cut = x.reshape(rows // window, window, columns // window, window)
    return cut.transpose(1, 2).reshape(-1, window * window)
