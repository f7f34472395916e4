"""Grouped-query attention (Ainslie et al. 2023, "GQA: Training Generalized Multi-Query Transformer Models from
Multi-Head Checkpoints", section 2.2).

    head_i = softmax(Q W_q,i (K W_k,g)^T / sqrt(d_head)) V W_v,g,   g = floor(i G / h)

h query heads share G heads of keys and values, so the KV cache is h / G times smaller. G = h is multi-head attention,
G = 1 multi-query attention (Shazeer 2019).
"""

import torch
from torch import Tensor

from regard_models.attention.fused import fused_attention
from regard_models.attention.heads import HeadProjections
from regard_models.attention.masking import masked_softmax
from regard_models.attention.multi_head import MultiHeadAttention


class GroupedQueryAttention(HeadProjections):
    """Multi-head attention whose heads share keys and values by groups.

    Args:
        width: model width; a multiple of `num_heads`.
        num_heads: query heads, a multiple of `num_groups`.
        num_groups: key and value heads.
        bias: whether the four projections add a bias.
        scale: factor on the scores; None means 1 / sqrt(head width).
    """

    def __init__(
        self, width: int, num_heads: int, num_groups: int, *, bias: bool = True, scale: float | None = None
    ) -> None:
        super().__init__(width, num_heads, num_key_heads=num_groups, bias=bias, scale=scale)

    @classmethod
    def from_multi_head(cls, attention: MultiHeadAttention, num_groups: int) -> "GroupedQueryAttention":
        """Averages the key and value heads of each group, as a start for further training (section 2.1)."""
        width, bias = attention.query.in_features, attention.query.bias is not None
        grouped = cls(width, attention.num_heads, num_groups, bias=bias, scale=attention.scale)
        weights = attention.state_dict()
        for name in weights.keys() & {"key.weight", "key.bias", "value.weight", "value.bias"}:
            # [heads * head_width, ...] -> [groups, heads / groups, head_width, ...] -> [groups * head_width, ...]
            heads = weights[name].unflatten(0, (num_groups, attention.num_heads // num_groups, -1))
            weights[name] = heads.mean(1).flatten(0, 1)
        grouped.load_state_dict(weights)
        return grouped

    def forward(
        self, query: Tensor, memory: Tensor, mask: Tensor | None = None, *, need_weights: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        """Lets every query position attend to the memory.

        Args:
            query: float [batch, target, width].
            memory: float [batch, source, width].
            mask: bool, broadcastable to [batch, heads, target, source]; True where attention is allowed.
            need_weights: False uses the framework's fused kernel, which never forms the weights.

        Returns:
            context: float [batch, target, width]; the output projection's bias in rows that allow nothing.
            weights: float [batch, heads, target, source]; each row sums to 1 over the allowed
                positions, or is 0 if there are none. None unless `need_weights`.
        """
        q, k, v = self.project(query, memory)
        if not need_weights:
            return self.finish(fused_attention(q, k, v, mask, scale=self.scale)[0]), None
        weights = masked_softmax(self._by_group(q, k.transpose(-1, -2)) * self.scale, mask)
        return self.finish(self._by_group(weights, v)), weights

    def _by_group(self, of_heads: Tensor, of_groups: Tensor) -> Tensor:
        """[batch, heads, target, n] times [batch, groups, n, m] of each head's group -> [batch, heads, target, m]."""
        # [batch, groups, heads / groups, target, n] @ [batch, groups, 1, n, m]
        product = torch.matmul(of_heads.unflatten(1, (self.num_key_heads, -1)), of_groups[:, :, None])
        return product.flatten(1, 2)
