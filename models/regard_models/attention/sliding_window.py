"""Sliding-window attention (Beltagy et al. 2020, "Longformer: The Long-Document Transformer", section 3.1).

    a_ij = softmax over j of e_ij,   |i - j| <= w   (causal: 0 <= i - j <= w)

Each position attends to w positions on each side, so time and memory grow linearly with the length; l layers see l w
positions far. Without weights, it computes blocks of w queries against their own block and its neighbours.
"""

import torch
from torch import Tensor
from torch.nn import functional

from regard_models.attention.heads import HeadProjections
from regard_models.attention.masking import masked_softmax
from regard_models.attention.soft import attend


class SlidingWindowAttention(HeadProjections):
    """Self-attention to the neighbours of each position.

    Args:
        width: model width; a multiple of `num_heads`.
        num_heads: heads.
        window: w, the positions on each side.
        causal: whether a position attends to itself and earlier ones only.
        bias: whether the four projections add a bias.
        scale: factor on the scores; None means 1 / sqrt(head width).

    Raises:
        ValueError: the window is not positive.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        *,
        window: int,
        causal: bool = False,
        bias: bool = True,
        scale: float | None = None,
    ) -> None:
        super().__init__(width, num_heads, bias=bias, scale=scale)
        if window < 1:
            raise ValueError(f"window must be at least 1; it is {window}")
        self.window = window
        self.causal = causal

    def forward(
        self, x: Tensor, source_mask: Tensor | None = None, *, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Lets every position attend to its window.

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
        q, n = q * self.scale, x.shape[1]
        if source_mask is None:
            source_mask = torch.ones(1, n, dtype=torch.bool, device=x.device)
        if need_weights:
            positions = torch.arange(n, device=x.device)
            mask = self._is_near(positions[:, None] - positions) & source_mask[:, None, None]
            context, weights = attend(q @ k.transpose(-1, -2), v, mask)
            return self.finish(context), weights
        return self.finish(self._attend_in_blocks(q, k, v, source_mask)[:, :, :n]), None

    def _is_near(self, behind: Tensor) -> Tensor:
        """Whether a pair is allowed, by how far the key is behind the query: int64 -> bool, of the same shape."""
        return (behind <= self.window) & (behind >= (0 if self.causal else -self.window))

    def _attend_in_blocks(self, q: Tensor, k: Tensor, v: Tensor, source_mask: Tensor) -> Tensor:
        """q, k, v: float [batch, heads, n, head_width]; source_mask: bool [batch, n] -> float, q padded to blocks."""
        num_beside = 1 if self.causal else 2  # neighbours of a block: before it, and behind it
        w = self.window
        q = _padded(q, -2, w).unflatten(-2, (-1, w))  # [batch, heads, blocks, w, head_width]
        k, v = (_with_neighbours(_padded(y, -2, w).unflatten(-2, (-1, w)), num_beside) for y in (k, v))
        real = _padded(source_mask[:, None], -1, w).unflatten(-1, (-1, w))[..., None]
        real = _with_neighbours(real, num_beside)[..., None, :, 0]  # [batch, 1, blocks, 1, keys]
        i = torch.arange(w, device=q.device)[:, None] + w
        j = torch.arange((1 + num_beside) * w, device=q.device)
        weights = masked_softmax(q @ k.transpose(-1, -2), real & self._is_near(i - j))
        return (weights @ v).flatten(2, 3)


def _padded(x: Tensor, dim: int, size: int) -> Tensor:
    """Pads the axis `dim` with 0 or False to a multiple of a size."""
    return functional.pad(x, [0, 0] * (-dim - 1) + [0, -x.shape[dim] % size])


def _with_neighbours(x: Tensor, num_beside: int) -> Tensor:
    """[batch, heads, blocks, w, m] -> [batch, heads, blocks, (1 + num_beside) w, m]: each block behind the one before
    it, and before the one behind it if there are two; 0 or False beyond the ends.
    """
    blocks = x.shape[2]
    padded = functional.pad(x, [0, 0, 0, 0, 1, num_beside - 1])
    return torch.cat([padded[:, :, start : start + blocks] for start in range(1 + num_beside)], dim=3)
