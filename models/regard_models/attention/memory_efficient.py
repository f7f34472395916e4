"""Memory-efficient attention (Rabe and Staats 2021, "Self-attention Does Not Need O(n^2) Memory", sections 2 and 3).

    context_t = sum_c exp(m_tc - m_t) n_tc / sum_c exp(m_tc - m_t) d_tc
    over chunks c of the source: m_tc = max_s e_ts,  n_tc = sum_s exp(e_ts - m_tc) v_s,  d_tc = sum_s exp(e_ts - m_tc)

Exact: the softmax's sum is gathered chunk by chunk, each with its own maximum. Only one chunk of the target by one
chunk of the source exists at a time; for the gradient, chunks are computed again instead of kept.

The paper fixes a chunk's size; here their number is fixed, so that the loop over them has an end known to an exported
graph, whatever the lengths. About sqrt(n) chunks is the paper's choice for n positions.
"""

from functools import reduce
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from regard_models.attention.heads import HeadProjections

# n, d and m of what was seen: float [batch, heads, chunk, head_width], [batch, heads, chunk, 1] and the same again.
Summary: TypeAlias = tuple[Tensor, Tensor, Tensor]


class MemoryEfficientAttention(HeadProjections):
    """Multi-head attention, chunk by chunk.

    Args:
        width: model width; a multiple of `num_heads`.
        num_heads: heads.
        num_chunks: chunks that the target and the source are each cut into.
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
            weights: None; `MultiHeadAttention` with the same parameters shows them.
        """
        q, k, v = self.project(query, memory)
        return self.finish(chunked_attention(q * self.scale, k, v, mask, num_chunks=self.num_chunks)), None


def chunked_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, *, num_chunks: int) -> Tensor:
    """softmax(q k^T) v, `num_chunks` by `num_chunks` chunks.

    Args:
        q: float [batch, heads, target, head_width], scaled already.
        k, v: float [batch, heads, source, head_width].
        mask: bool, broadcastable to [batch, heads, target, source]; True where attention is allowed.
        num_chunks: chunks that the target and the source are each cut into.

    Returns:
        context: float [batch, heads, target, head_width]; 0 in rows that allow nothing.
    """
    if mask is None:
        mask = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=q.device)
    mask = mask.expand(*mask.shape[:-1], k.shape[-2])  # what pads the last chunk of the source must not be allowed
    mask = mask[(None,) * (4 - mask.dim())]
    keys, values = cut(k, -2, num_chunks), cut(v, -2, num_chunks)
    mask_rows = (mask,) * num_chunks if mask.shape[-2] == 1 else cut(mask, -2, num_chunks)
    contexts = [
        _one_target_chunk(q_chunk, keys, values, cut(rows, -1, num_chunks))
        for q_chunk, rows in zip(cut(q, -2, num_chunks), mask_rows, strict=True)
    ]
    return torch.cat(contexts, dim=-2)[..., : q.shape[-2], :]


def cut(x: Tensor, dim: int, num_chunks: int) -> tuple[Tensor, ...]:
    """Chunks of equal length along `dim`, which is negative; padded at the end with 0 or False."""
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
    # The maximum cancels out, so no gradient needs to go through it.
    highest = scores.detach().amax(-1, keepdim=True)
    exponentials = torch.exp(scores - highest).masked_fill(~mask, 0.0)
    return exponentials @ v, exponentials.sum(-1, keepdim=True), highest


def _merge(one: Summary, other: Summary) -> Summary:
    highest = torch.maximum(one[2], other[2])
    one_factor, other_factor = torch.exp(one[2] - highest), torch.exp(other[2] - highest)
    return one_factor * one[0] + other_factor * other[0], one_factor * one[1] + other_factor * other[1], highest
