"""Multi-head attention (Vaswani et al. 2017, "Attention Is All You Need", section 3.2.2).

    MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W_o
    head_i = softmax(Q W_q,i (K W_k,i)^T / sqrt(d_head)) V W_v,i

Self-attention when the memory is the query itself, cross-attention when it is the encoder's output.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention in several heads, side by side.

    Args:
        width: model width; a multiple of `num_heads`.
        num_heads: heads; each is `width / num_heads` wide.
        bias: whether the four projections add a bias.
        scale: factor on the scores; None means 1 / sqrt(head width), equation 1.
    """

    def __init__(self, width: int, num_heads: int, *, bias: bool = True, scale: float | None = None) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"width {width} is not a multiple of num_heads {num_heads}")
        self.num_heads = num_heads
        self.scale = scale if scale is not None else (width // num_heads) ** -0.5
        self.query = nn.Linear(width, width, bias=bias)
        self.key = nn.Linear(width, width, bias=bias)
        self.value = nn.Linear(width, width, bias=bias)
        self.output = nn.Linear(width, width, bias=bias)

    def forward(
        self, query: Tensor, memory: Tensor, mask: Tensor | None = None, *, need_weights: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        """Lets every query position attend to the memory.

        Args:
            query: float [batch, target, width].
            memory: float [batch, source, width].
            mask: bool, broadcastable to [batch, heads, target, source]; True where attention is allowed.
                Every query needs at least one allowed position.
            need_weights: False takes the framework's fused kernel, which never forms the weights.

        Returns:
            context: float [batch, target, width].
            weights: float [batch, heads, target, source]; each row sums to 1 over the allowed
                positions. None unless `need_weights`.
        """
        q, k, v = (self._split(project(x)) for project, x in
                   ((self.query, query), (self.key, memory), (self.value, memory)))
        if not need_weights:
            context = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=self.scale)
            return self.output(self._merge(context)), None
        scores = q @ k.transpose(-1, -2) * self.scale  # [batch, heads, target, source]
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        weights = torch.softmax(scores, dim=-1)
        return self.output(self._merge(weights @ v)), weights

    def _split(self, x: Tensor) -> Tensor:
        """[batch, n, width] -> [batch, heads, n, width / heads]."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def _merge(self, x: Tensor) -> Tensor:
        """[batch, heads, n, width / heads] -> [batch, n, width]."""
        return x.transpose(1, 2).flatten(2)
