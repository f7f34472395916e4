"""Attention with linear biases (Press et al. 2022, "Train Short, Test Long: Attention with Linear Biases Enables Input
Length Extrapolation", section 3).

    head_i = softmax(Q_i K_i^T scale - m_i |t - s|) V_i,   m_i = 2^(-8 i / h),  i = 1 ... h

The bias replaces embeddings of positions. Slopes are fixed, so a model reads longer inputs than it was trained on. For
a number of heads that is no power of two, the further slopes are every second one of twice as many heads, as in the
authors' code. The paper's model is causal; |t - s| extends it to both directions.
"""

import math

import torch
from torch import Tensor

from regard_models.attention.multi_head import MultiHeadAttention


class AlibiAttention(MultiHeadAttention):
    """Multi-head attention whose scores fall linearly with the distance, in each head by a slope of its own.

    Args:
        width: model width; a multiple of `num_heads`.
        num_heads: heads.
        bias: whether the four projections add a bias.
        scale: factor on the scores; None means 1 / sqrt(head width).
    """

    slopes: Tensor

    def __init__(self, width: int, num_heads: int, *, bias: bool = True, scale: float | None = None) -> None:
        super().__init__(width, num_heads, bias=bias, scale=scale)
        self.register_buffer("slopes", torch.tensor(slopes_of(num_heads)), persistent=False)

    def forward(
        self,
        query: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        *,
        score_bias: Tensor | None = None,
        query_positions: Tensor | None = None,
        need_weights: bool = True,
    ) -> tuple[Tensor, Tensor | None]:
        """Lets every query position attend to the memory, the less the farther away it is.

        Args:
            query: float [batch, target, width].
            memory: float [batch, source, width].
            mask: bool, broadcastable to [batch, heads, target, source]; True where attention is allowed.
            score_bias: float, broadcastable likewise; added to the scores beside the distances.
            query_positions: int64 [target]; positions of the queries along the memory; None means 0, 1, 2, ...
            need_weights: False uses the framework's fused kernel, which never forms the weights.

        Returns:
            context, weights: as `MultiHeadAttention.forward` returns them.
        """
        if query_positions is None:
            query_positions = torch.arange(query.shape[1], device=query.device)
        positions = torch.arange(memory.shape[1], device=memory.device)
        distances = (positions - query_positions[:, None]).abs()  # [target, source]
        bias = -self.slopes.to(query.dtype)[:, None, None] * distances
        total = bias if score_bias is None else bias + score_bias
        return super().forward(query, memory, mask, score_bias=total, need_weights=need_weights)


def slopes_of(num_heads: int) -> list[float]:
    """The slopes m of all heads."""
    power = 2 ** int(math.log2(num_heads))
    slopes = [2 ** (-8 * i / power) for i in range(1, power + 1)]
    further = [2 ** (-8 * i / (2 * power)) for i in range(1, 2 * power + 1, 2)]
    return slopes + further[: num_heads - power]
