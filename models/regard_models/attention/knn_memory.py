"""Attention with a memory of nearest neighbours (Wu et al. 2022, "Memorizing Transformers", section 3).

    V_a = g V_m + (1 - g) V_c,   g = sigmoid(b_h),   V_m = softmax over the k best of (Q K_m^T scale) V_m'

Beside the local context (V_c), each query of a head attends to the k entries of an external memory with the highest
scores (V_m). The memory holds keys and values of earlier inputs, which get no gradient through the memory's storage.
A learned number b weighs the two in each head. The search here is exact; a large memory needs an approximate one.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from regard_models.attention.heads import HeadProjections
from regard_models.attention.masking import masked_softmax


class KnnMemoryAttention(HeadProjections):
    """Multi-head attention to a local context and to the nearest entries of a memory.

    Args:
        width: model width; a multiple of `num_heads`.
        num_heads: heads.
        num_neighbours: k, the entries of the memory that a query attends to.
        bias: whether the four projections add a bias.
        scale: factor on the scores; None means 1 / sqrt(head width).

    Raises:
        ValueError: `num_neighbours` is not positive.
    """

    def __init__(
        self, width: int, num_heads: int, *, num_neighbours: int, bias: bool = True, scale: float | None = None
    ) -> None:
        super().__init__(width, num_heads, bias=bias, scale=scale)
        if num_neighbours < 1:
            raise ValueError(f"num_neighbours must be at least 1; it is {num_neighbours}")
        self.num_neighbours = num_neighbours
        self.gate = nn.Parameter(torch.zeros(num_heads))

    def remember(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of an input as entries of the memory, without gradient.

        Args:
            x: float [batch, n, width].

        Returns:
            keys, values: float [batch, heads, n, head_width].
        """
        with torch.no_grad():
            _, keys, values = self.project(x, x)
        return keys, values

    def forward(
        self,
        query: Tensor,
        memory: Tensor,
        past_keys: Tensor,
        past_values: Tensor,
        mask: Tensor | None = None,
        *,
        past_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Lets every query position attend to the local context and to the nearest entries.

        Args:
            query: float [batch, target, width].
            memory: float [batch, source, width]; the local context.
            past_keys, past_values: float [batch, heads, entries, head_width], as `remember` returns them.
            mask: bool, broadcastable to [batch, heads, target, source]; True where attention is allowed.
            past_mask: bool [batch, entries]; True where an entry is allowed.

        Returns:
            context: float [batch, target, width]; the output projection's bias in rows that allow nothing.
            weights: float [batch, heads, target, entries + source], of the entries first; each row sums to 1, or is 0
                if it allows nothing. A side that allows nothing leaves its share to the other one.
        """
        q, k, v = self.project(query, memory)
        q = q * self.scale
        local = masked_softmax(q @ k.transpose(-1, -2), mask)
        past = self._nearest(q @ past_keys.transpose(-1, -2), past_mask)
        gate = torch.sigmoid(self.gate)[:, None, None]
        gate = torch.where(local.detach().sum(-1, keepdim=True) > 0, gate, torch.ones_like(gate))
        gate = torch.where(past.detach().sum(-1, keepdim=True) > 0, gate, torch.zeros_like(gate))
        past, local = gate * past, (1 - gate) * local
        return self.finish(past @ past_values + local @ v), torch.cat([past, local], dim=-1)

    def _nearest(self, scores: Tensor, past_mask: Tensor | None) -> Tensor:
        """The softmax over the k best entries of each row: float [batch, heads, target, entries] -> the same shape."""
        allowed = None if past_mask is None else past_mask[:, None, None]
        found = scores if allowed is None else scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
        # Padding lets a memory have fewer than k entries, also in a graph whose lengths are dynamic.
        padded = functional.pad(found, [0, self.num_neighbours], value=torch.finfo(scores.dtype).min)
        indices = padded.topk(self.num_neighbours, dim=-1).indices
        is_near = torch.zeros_like(padded, dtype=torch.bool).scatter(
            -1, indices, torch.ones_like(indices, dtype=torch.bool)
        )
        is_near = is_near[..., : scores.shape[-1]]
        return masked_softmax(scores, is_near if allowed is None else is_near & allowed)
