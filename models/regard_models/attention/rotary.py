"""Attention with rotary position embedding (Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position
Embedding", section 3.2.2).

    e_ts = (R_t q_t)^T (R_s k_s) scale = q_t^T R_(s - t) k_s scale

R_p turns the coordinates 2i and 2i + 1 of a head, as a pair, by the angle p theta_i, theta_i = base^(-2 i / d). A score
depends on the distance of two positions alone, though each vector is turned by its own position.
"""

import torch
from torch import Tensor

from regard_models.attention.fused import fused_attention
from regard_models.attention.heads import HeadProjections
from regard_models.attention.soft import attend


class RotaryAttention(HeadProjections):
    """Multi-head attention whose queries and keys are turned by their positions.

    Args:
        width: model width; a multiple of `num_heads`.
        num_heads: heads, of an even width.
        base: of the angles; a larger one turns more slowly.
        bias: whether the four projections add a bias.
        scale: factor on the scores; None means 1 / sqrt(head width).

    Raises:
        ValueError: the heads have an odd width.
    """

    frequencies: Tensor

    def __init__(
        self, width: int, num_heads: int, *, base: float = 10_000.0, bias: bool = True, scale: float | None = None
    ) -> None:
        super().__init__(width, num_heads, bias=bias, scale=scale)
        head_width = width // num_heads
        if head_width % 2:
            raise ValueError(f"the heads' width {head_width} is odd; coordinates are turned in pairs")
        frequencies = base ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
        self.register_buffer("frequencies", frequencies.float(), persistent=False)

    def forward(
        self,
        query: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        *,
        query_positions: Tensor | None = None,
        need_weights: bool = True,
    ) -> tuple[Tensor, Tensor | None]:
        """Lets every query position attend to the memory, whose positions count from 0.

        Args:
            query: float [batch, target, width].
            memory: float [batch, source, width].
            mask: bool, broadcastable to [batch, heads, target, source]; True where attention is allowed.
            query_positions: int64 [target]; positions of the queries along the memory; None means 0, 1, 2, ...
            need_weights: False uses the framework's fused kernel, which never forms the weights.

        Returns:
            context: float [batch, target, width]; the output projection's bias in rows that allow nothing.
            weights: float [batch, heads, target, source]; each row sums to 1 over the allowed positions, or is 0 if
                there are none. None unless `need_weights`.
        """
        if query_positions is None:
            query_positions = torch.arange(query.shape[1], device=query.device)
        q, k, v = self.project(query, memory)
        q = rotate(q, query_positions, self.frequencies)
        k = rotate(k, torch.arange(memory.shape[1], device=memory.device), self.frequencies)
        if not need_weights:
            return self.finish(fused_attention(q, k, v, mask, scale=self.scale)[0]), None
        context, weights = attend(q @ k.transpose(-1, -2) * self.scale, v, mask)
        return self.finish(context), weights


def rotate(x: Tensor, positions: Tensor, frequencies: Tensor) -> Tensor:
    """Turns each pair of coordinates by its position's angle.

    Args:
        x: float [batch, heads, n, head_width].
        positions: int64 [n].
        frequencies: float [head_width / 2], in radians a position.

    Returns:
        rotated: float, the shape of `x`.
    """
    angles = positions[:, None].to(x.dtype) * frequencies.to(x.dtype)  # [n, head_width / 2]
    cos, sin = angles.cos(), angles.sin()
    first, second = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((first * cos - second * sin, first * sin + second * cos), dim=-1).flatten(-2)
