"""Multi-head attention (Vaswani et al. 2017, "Attention Is All You Need", section 3.2.2).

    MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W_o
    head_i = softmax(Q W_q,i (K W_k,i)^T / sqrt(d_head)) V W_v,i

Self-attention when the memory is the query itself, cross-attention when it is the encoder's output.
"""

from torch import Tensor

from regard_models.attention.fused import fused_attention
from regard_models.attention.heads import HeadProjections
from regard_models.attention.soft import attend


class MultiHeadAttention(HeadProjections):
    """Scaled dot-product attention in several heads, side by side.

    Args:
        width: model width; a multiple of `num_heads` unless `head_width` is given.
        num_heads: heads.
        head_width: width of each head; None means `width / num_heads`.
        memory_width: width of the memory; None means `width`.
        bias: whether the four projections add a bias.
        scale: factor on the scores; None means 1 / sqrt(head width), equation 1.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        *,
        head_width: int | None = None,
        memory_width: int | None = None,
        bias: bool = True,
        scale: float | None = None,
    ) -> None:
        super().__init__(width, num_heads, head_width=head_width, memory_width=memory_width, bias=bias, scale=scale)

    def forward(
        self,
        query: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        *,
        score_bias: Tensor | None = None,
        need_weights: bool = True,
    ) -> tuple[Tensor, Tensor | None]:
        """Lets every query position attend to the memory.

        Args:
            query: float [batch, target, width].
            memory: float [batch, source, memory width].
            mask: bool, broadcastable to [batch, heads, target, source]; True where attention is allowed.
            score_bias: float, broadcastable likewise; added to the scores (see `relative_position.py`).
            need_weights: False uses the framework's fused kernel, which never forms the weights.

        Returns:
            context: float [batch, target, width]; the output projection's bias in rows that allow nothing.
            weights: float [batch, heads, target, source]; each row sums to 1 over the allowed
                positions, or is 0 if there are none. None unless `need_weights`.
        """
        q, k, v = self.project(query, memory)
        if not need_weights:
            context, _ = fused_attention(q, k, v, mask, score_bias=score_bias, scale=self.scale)
            return self.finish(context), None
        scores = q @ k.transpose(-1, -2) * self.scale  # [batch, heads, target, source]
        context, weights = attend(scores if score_bias is None else scores + score_bias, v, mask)
        return self.finish(context), weights
