"""The framework's fused kernel: FlashAttention (Dao et al. 2022, "FlashAttention: Fast and Memory-Efficient Exact
Attention with IO-Awareness", algorithm 1) where the device has it.

    softmax(Q K^T scale + bias) V, tile by tile, with a running maximum and sum

Exact, but never forms the weights. `MultiHeadAttention` uses it unless it must return weights.
"""

from torch import Tensor
from torch.nn import functional


def fused_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    *,
    score_bias: Tensor | None = None,
    scale: float | None = None,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention in one kernel.

    Args:
        q: float [batch, heads, target, head_width].
        k, v: float [batch, key_heads, source, head_width]; key_heads divides heads, and is smaller where several
            heads share their keys (see `grouped_query.py`).
        mask: bool, broadcastable to [batch, heads, target, source]; True where attention is allowed.
        score_bias: float, broadcastable likewise; added to the scores.
        scale: factor on the scores; None means 1 / sqrt(head width).

    Returns:
        context: float [batch, heads, target, head_width]; 0 in rows that allow nothing.
        weights: None.
    """
    grouped = q.shape[1] != k.shape[1]
    if mask is None:
        return functional.scaled_dot_product_attention(q, k, v, score_bias, scale=scale, enable_gqa=grouped), None
    # For a row that allows nothing, kernels return zeros, NaN or the mean, depending on device and exporter. So this
    # row may attend to everything, and its context is set to 0 afterwards.
    empty = ~mask.any(-1, keepdim=True)
    allowed = mask | empty
    if score_bias is not None:
        allowed = score_bias.masked_fill(~allowed, float("-inf"))
    context = functional.scaled_dot_product_attention(q, k, v, allowed, scale=scale, enable_gqa=grouped)
    return context.masked_fill(empty, 0.0), None
