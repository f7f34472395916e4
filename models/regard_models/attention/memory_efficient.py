"""Memory-efficient attention (Rabe and Staats 2021, "Self-attention Does Not Need O(n^2) Memory", sections 2 and 3).

    context_t = sum_c exp(m_tc - m_t) n_tc / sum_c exp(m_tc - m_t) d_tc
    over chunks c of the source: m_tc = max_s e_ts,  n_tc = sum_s exp(e_ts - m_tc) v_s,  d_tc = sum_s exp(e_ts - m_tc)

Exact: sums the softmax chunk by chunk, each with its own maximum. Only the scores of one chunk of the target with one
chunk of the source exist at a time; the backward pass computes chunks again instead of storing them.

The paper fixes the size of chunks; here their number is fixed, so that an exported graph has a constant number of
iterations for all lengths. The paper chooses about sqrt(n) chunks for n positions.
"""

from functools import reduce
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from regard_models.attention.heads import HeadProjections

# n, d and m of the chunks so far: float [batch, heads, chunk, head_width], [batch, heads, chunk, 1] and the same again.
Summary: TypeAlias = tuple[Tensor, Tensor, Tensor]


class MemoryEfficientAttention(HeadProjections):
    """Multi-head attention, chunk by chunk.

    Args:
        width: model width; a multiple of `num_heads`.
        num_heads: heads.
        num_chunks: number of chunks of the target, and of the source.
        bias: whether the four projections add a bias.
        scale: factor on the scores; None means 1 / sqrt(head width).
    """

    def __init__(
        self, width: int, num_heads: int, *, num_chunks: int = 8, bias: bool = True, scale: float | None = None
    ) -> None:
        super().__init__(width, num_heads, bias=bias, scale=scale)
        self.num_chunks = num_chunks

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor | None = None) -> tuple[Tensor, None]:
        """Lets every query position attend to the memory.

        Args:
            query: float [batch, target, width].
            memory: float [batch, source, width].
            mask: bool, broadcastable to [batch, heads, target, source]; True where attention is allowed.

        Returns:
            context: float [batch, target, width]; the output projection's bias in rows that allow nothing.
            weights: None; `MultiHeadAttention` with the same parameters returns them.
        """
        q, k, v = self.project(query, memory)
        return self.finish(chunked_attention(q * self.scale, k, v, mask, num_chunks=self.num_chunks)), None


def chunked_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, *, num_chunks: int) -> Tensor:
    """softmax(q k^T) v, `num_chunks` by `num_chunks` chunks.

    Args:
        q: float [batch, heads, target, head_width], scaled already.
        k, v: float [batch, heads, source, head_width].
        mask: bool, broadcastable to [batch, heads, target, source]; True where attention is allowed.
        num_chunks: number of chunks of the target, and of the source.

    Returns:
        context: float [batch, heads, target, head_width]; 0 in rows that allow nothing.
    """
    if mask is None:
        mask = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=q.device)
    mask = mask.expand(*mask.shape[:-1], k.shape[-2])  # the padding of the last chunk must not be allowed
    mask = mask[(None,) * (4 - mask.dim())]
    keys, values = cut(k, -2, num_chunks), cut(v, -2, num_chunks)
    mask_rows = (mask,) * num_chunks if mask.shape[-2] == 1 else cut(mask, -2, num_chunks)
    contexts = [
        _one_target_chunk(q_chunk, keys, values, cut(rows, -1, num_chunks))
        for q_chunk, rows in zip(cut(q, -2, num_chunks), mask_rows, strict=True)
    ]
    return torch.cat(contexts, dim=-2)[..., : q.shape[-2], :]


def cut(x: Tensor, dim: int, num_chunks: int) -> tuple[Tensor, ...]:
    """Splits into chunks of equal length along `dim`, which is negative; pads the end with 0 or False."""
    padding = [0, 0] * (-dim - 1) + [0, -x.shape[dim] % num_chunks]
    return functional.pad(x, padding).unflatten(dim, (num_chunks, -1)).unbind(dim - 1)


def _one_target_chunk(
    q: Tensor, keys: tuple[Tensor, ...], values: tuple[Tensor, ...], masks: tuple[Tensor, ...]
) -> Tensor:
    """One chunk of the target against all of the source: float [batch, heads, chunk, head_width]."""
    summaries = (
        checkpoint(_summarize, q, k, v, mask, use_reentrant=False)
        for k, v, mask in zip(keys, values, masks, strict=True)
    )
    numerator, denominator, _ = reduce(_merge, summaries)
    return numerator / denominator.masked_fill(denominator == 0, 1.0)


def _summarize(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Summary:
    scores = (q @ k.transpose(-1, -2)).masked_fill(~mask, torch.finfo(q.dtype).min)
    # The maximum cancels out, so it needs no gradient.
    highest = scores.detach().amax(-1, keepdim=True)
    exponentials = torch.exp(scores - highest).masked_fill(~mask, 0.0)
    return exponentials @ v, exponentials.sum(-1, keepdim=True), highest


def _merge(one: Summary, other: Summary) -> Summary:
    highest = torch.maximum(one[2], other[2])
    one_factor, other_factor = torch.exp(one[2] - highest), torch.exp(other[2] - highest)
    return one_factor * one[0] + other_factor * other[0], one_factor * one[1] + other_factor * other[1], highest
