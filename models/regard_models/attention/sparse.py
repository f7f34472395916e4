"""Sparse attention (Child et al. 2019, "Generating Long Sequences with Sparse Transformers", sections 4.3 and 5.1).

Position i attends to j <= i where, with a stride l near sqrt(n),

    strided:  i - j <= l            or  (i - j) mod l = 0
    fixed:    floor(i / l) = floor(j / l)  or  j mod l >= l - c

In "fixed", the last c positions of each block summarize the block for all later positions. One head merges the two
halves of a pattern (section 5.1, the second way).

Without weights, it computes only the pairs of the pattern, as dense blocks: near pairs, and far pairs on their columns;
one softmax covers both.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from regard_models.attention.heads import HeadProjections
from regard_models.attention.masking import masked_softmax
from regard_models.attention.soft import attend

Pattern = Literal["strided", "fixed"]


class SparseAttention(HeadProjections):
    """Causal self-attention on a pattern.

    Args:
        width: model width; a multiple of `num_heads`.
        num_heads: heads.
        pattern: name of the pattern of allowed pairs.
        stride: l.
        summary: c, of the fixed pattern; at most l.
        bias: whether the four projections add a bias.
        scale: factor on the scores; None means 1 / sqrt(head width).
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        *,
        pattern: Pattern,
        stride: int,
        summary: int = 1,
        bias: bool = True,
        scale: float | None = None,
    ) -> None:
        super().__init__(width, num_heads, bias=bias, scale=scale)
        if not 1 <= summary <= stride:
            raise ValueError(f"summary {summary} is not between 1 and stride {stride}")
        self.pattern = pattern
        self.stride = stride
        self.summary = summary

    def forward(
        self, x: Tensor, source_mask: Tensor | None = None, *, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Lets every position attend to the earlier positions of its pattern.

        Args:
            x: float [batch, n, width].
            source_mask: bool [batch, n]; False on padding.
            need_weights: whether to form the weights, at the quadratic cost that this mechanism avoids otherwise.

        Returns:
            context: float [batch, n, width]; the output projection's bias in rows that allow nothing.
            weights: float [batch, heads, n, n]; each row sums to 1 over the allowed positions, or is 0 if there are
                none. None unless `need_weights`.
        """
        q, k, v = self.project(x, x)
        q = q * self.scale
        n = x.shape[1]
        if source_mask is None:
            source_mask = torch.ones(1, n, dtype=torch.bool, device=x.device)
        if need_weights:
            mask = self.allowed(n, x.device) & source_mask[:, None, None]
            context, weights = attend(q @ k.transpose(-1, -2), v, mask)
            return self.finish(context), weights
        # [batch, heads, n, head_width] -> [batch, heads, blocks, l, head_width]
        q, k, v = (_blocks(y, -2, self.stride) for y in (q, k, v))
        real = _blocks(source_mask[:, None], -1, self.stride)  # [batch, 1, blocks, l]
        context = _attend_strided(q, k, v, real) if self.pattern == "strided" else self._attend_fixed(q, k, v, real)
        return self.finish(context.flatten(2, 3)[:, :, :n]), None

    def allowed(self, n: int, device: torch.device | None = None) -> Tensor:
        """The pattern: bool [n, n]."""
        i, j = torch.arange(n, device=device)[:, None], torch.arange(n, device=device)
        if self.pattern == "strided":
            pattern = (i - j <= self.stride) | ((i - j) % self.stride == 0)
        else:
            pattern = (i // self.stride == j // self.stride) | (j % self.stride >= self.stride - self.summary)
        return pattern & (j <= i)

    def _attend_fixed(self, q: Tensor, k: Tensor, v: Tensor, real: Tensor) -> Tensor:
        """Near: the same block. Far: the summaries of earlier blocks, equal for all positions of a block.

        q, k, v: float [batch, heads, blocks, l, head_width]; real: bool [batch, 1, blocks, l]. Returns the shape of q.
        """
        blocks = torch.arange(q.shape[2], device=q.device)
        near = real[..., None, :] & torch.ones(q.shape[3], q.shape[3], dtype=torch.bool, device=q.device).tril()
        far_k, far_v = (y[..., -self.summary :, :].flatten(2, 3)[:, :, None] for y in (k, v))
        # [blocks, 1, blocks * c]: the summaries that a block may attend to
        earlier = (blocks < blocks[:, None]).repeat_interleave(self.summary, dim=-1)[:, None]
        far = real[..., -self.summary :].flatten(2)[:, :, None, None] & earlier
        weights = _one_softmax(q @ k.transpose(-1, -2), near, q @ far_k.transpose(-1, -2), far)
        return weights[0] @ v + weights[1] @ far_v


def _attend_strided(q: Tensor, k: Tensor, v: Tensor, real: Tensor) -> Tensor:
    """Near: the l positions before, in the same block and the one before it. Far: the same column, at least two blocks
    before. Arguments and result as in `_attend_fixed`.
    """
    num_blocks, stride = q.shape[2:4]
    i, j = torch.arange(stride, device=q.device)[:, None] + stride, torch.arange(2 * stride, device=q.device)
    near = _with_block_before(real[..., None])[..., None, :, 0] & (j <= i) & (i - j <= stride)
    blocks = torch.arange(num_blocks, device=q.device)
    two_before = (blocks <= blocks[:, None] - 2)[:, None]  # [blocks, 1, blocks]
    far = real.transpose(-1, -2)[:, :, None] & two_before  # [batch, 1, blocks, l, blocks]
    near_k, near_v = _with_block_before(k), _with_block_before(v)
    # [batch, heads, blocks, l, head_width] -> [batch, heads, l, blocks, head_width]: one column per row
    far_q, far_k, far_v = (y.transpose(2, 3) for y in (q, k, v))
    far_scores = (far_q @ far_k.transpose(-1, -2)).transpose(2, 3)  # [batch, heads, blocks, l, blocks]
    weights = _one_softmax(q @ near_k.transpose(-1, -2), near, far_scores, far)
    return weights[0] @ near_v + (weights[1].transpose(2, 3) @ far_v).transpose(2, 3)


def _one_softmax(near_scores: Tensor, near: Tensor, far_scores: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of near and far positions, which sum to 1 together.

    Args:
        near_scores: float [batch, heads, blocks, l, num_near]; near: bool, broadcastable to it.
        far_scores: float [batch, heads, blocks, l, num_far]; far: bool, broadcastable to it.
    """
    mask = torch.cat([near.expand(near_scores.shape), far.expand(far_scores.shape)], dim=-1)
    weights = masked_softmax(torch.cat([near_scores, far_scores], dim=-1), mask)
    num_near = near_scores.shape[-1]
    return weights[..., :num_near], weights[..., num_near:]


def _blocks(x: Tensor, dim: int, stride: int) -> Tensor:
    """Pads the axis `dim` of length n with 0 or False to whole blocks, and splits it into [blocks, l]."""
    padding = [0, 0] * (-dim - 1) + [0, -x.shape[dim] % stride]
    return functional.pad(x, padding).unflatten(dim, (-1, stride))


def _with_block_before(x: Tensor) -> Tensor:
    """[batch, heads, blocks, l, m] -> [batch, heads, blocks, 2 l, m]: the block before (0 or False at the first), then
    the block itself.
    """
    before = functional.pad(x, [0, 0, 0, 0, 1, 0])[:, :, :-1]
    return torch.cat([before, x], dim=3)
