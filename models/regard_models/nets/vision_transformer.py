"""The vision transformer (Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words"), as an encoder of pictures.

    z_0 = [x_class; x_1 E; ...; x_N E] + E_pos,   x_i a patch of P x P pixels       (equation 1)
    z_l = MLP(LN(z'_l)) + z'_l,   z'_l = MSA(LN(z_{l-1})) + z_{l-1}                 (equations 2 and 3)
    y = LN(z_L)                                                                     (equation 4, of all positions)

The layers are those of `models/regard_models/nets/transformer.py`, with normalizations first.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from regard_models.nets.patch_distances import PatchDistances
from regard_models.nets.transformer import Activation, EncoderLayer, TransformerConfig


@dataclass(frozen=True)
class VisionTransformerConfig:
    """The architecture.

    Attributes:
        image_height, image_width: pixels; multiples of `patch_size`.
        patch_size: side of a patch, in pixels.
        class_tokens: number of learned positions before the patches: 1 is the paper's class token, 2 add a
            distillation token (Touvron et al. 2021), 0 is patches only.
        absolute_positions: whether to add a learned vector per position (E_pos).
        relative_positions: whether each layer adds a bias by the distance of patches (`patch_distances.py`).
        positions_between: whether a learned vector per position is added behind every layer but the last (Fang et al.
            2021, "You Only Look at One Sequence").
        final_norm: whether to apply the normalization of equation 4.
        mean, std: mean and standard deviation of pixels from 0 to 255 in training.
    """

    width: int
    num_heads: int
    num_layers: int
    feed_forward_width: int
    image_height: int = 224
    image_width: int = 224
    patch_size: int = 16
    class_tokens: int = 1
    absolute_positions: bool = True
    relative_positions: bool = False
    positions_between: bool = False
    activation: Activation = "gelu"
    norm_epsilon: float = 1e-6
    final_norm: bool = True
    mean: float = 127.5
    std: float = 127.5

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.image_height // self.patch_size, self.image_width // self.patch_size

    @property
    def num_positions(self) -> int:
        """Number of class tokens and patches."""
        return self.class_tokens + self.grid[0] * self.grid[1]

    @property
    def layers(self) -> TransformerConfig:
        """The configuration of the layers."""
        return TransformerConfig(
            vocab_size=0,
            width=self.width,
            num_heads=self.num_heads,
            encoder_layers=self.num_layers,
            decoder_layers=0,
            feed_forward_width=self.feed_forward_width,
            activation=self.activation,
            final_norm=self.final_norm,
            norm_epsilon=self.norm_epsilon,
            tie_embeddings=False,
        )

    def to_json(self) -> dict[str, Any]:
        """The options for a checkpoint's config.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> "VisionTransformerConfig":
        """The inverse of `to_json`."""
        return cls(**options)


class VisionTransformer(nn.Module):
    """Patches, class tokens, layers.

    Args:
        config: the architecture.
        dropout: probability, in training only: on embeddings and on every sublayer's output.

    Raises:
        ValueError: a picture is not a whole number of patches.
    """

    def __init__(self, config: VisionTransformerConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        for side in (config.image_height, config.image_width):
            if side % config.patch_size:
                raise ValueError(f"{side} pixels are not a whole number of patches of {config.patch_size}")
        self.patches = nn.Conv2d(3, config.width, config.patch_size, stride=config.patch_size)
        self.class_tokens = nn.Parameter(torch.randn(config.class_tokens, config.width) * 0.02)
        if config.absolute_positions:
            self.positions = nn.Parameter(torch.randn(config.num_positions, config.width) * 0.02)
        if config.positions_between:
            between = torch.randn(config.num_layers - 1, config.num_positions, config.width)
            self.positions_between = nn.Parameter(between * 0.02)
        self.dropout = nn.Dropout(dropout)
        self.encoder = nn.ModuleList(EncoderLayer(config.layers, dropout) for _ in range(config.num_layers))
        if config.relative_positions:
            self.distances = nn.ModuleList(
                PatchDistances(config.grid, config.num_heads, class_tokens=config.class_tokens) for _ in self.encoder
            )
        self.encoder_norm = nn.LayerNorm(config.width, eps=config.norm_epsilon) if config.final_norm else nn.Identity()

    def embed(self, pixels: Tensor) -> Tensor:
        """pixels: float [batch, 3, height, width] -> float [batch, positions, width], class tokens first."""
        patches = self.patches(pixels).flatten(2).transpose(1, 2)  # [batch, rows * columns, width], row by row
        x = torch.cat([self.class_tokens.expand(len(pixels), -1, -1), patches], dim=1)
        return self.dropout(x + self.positions if self.config.absolute_positions else x)

    def forward(self, pixels: Tensor, *, need_weights: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Encodes a batch of pictures.

        Args:
            pixels: float [batch, 3, height, width], normalized as the weights expect.

        Returns:
            states: float [batch, positions, width].
            weights: one float [batch, heads, positions, positions] per layer; empty unless requested.
        """
        x, all_weights = self.embed(pixels), []
        for index, layer in enumerate(self.encoder):
            score_bias = self.distances[index]() if self.config.relative_positions else None
            x, weights = layer(x, None, score_bias, need_weights=need_weights)
            all_weights += [weights] if need_weights else []
            if self.config.positions_between and index < self.config.num_layers - 1:
                x = x + self.positions_between[index]
        return self.encoder_norm(x), all_weights
