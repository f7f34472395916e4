"""Talking-heads attention (Shazeer et al. 2020, "Talking-Heads Attention").

    J_h = Q_h K_h^T scale;   L_g = sum_h J_h P_l[h, g];   W_g = softmax(L_g);   U_h = sum_g W_g P_w[g, h]
    head_h = U_h V_h

Heads exchange their scores before the softmax and their weights behind it. With both mixtures equal to the identity,
their initial value here, it is multi-head attention. Weights are mixed after the softmax, so a row of one head's
weights need not sum to 1, and may have negative numbers.
"""

import torch
from torch import Tensor, nn

from regard_models.attention.heads import HeadProjections
from regard_models.attention.masking import masked_softmax


class TalkingHeadsAttention(HeadProjections):
    """Multi-head attention whose heads mix their scores and their weights.

    Args:
        width: model width; a multiple of `num_heads`.
        num_heads: heads, of keys, of the softmax and of values alike.
        bias: whether the four projections add a bias.
        scale: factor on the scores; None means 1 / sqrt(head width).
    """

    def __init__(self, width: int, num_heads: int, *, bias: bool = True, scale: float | None = None) -> None:
        super().__init__(width, num_heads, bias=bias, scale=scale)
        self.mix_scores = nn.Parameter(torch.eye(num_heads))
        self.mix_weights = nn.Parameter(torch.eye(num_heads))

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Lets every query position attend to the memory.

        Args:
            query: float [batch, target, width].
            memory: float [batch, source, width].
            mask: bool, broadcastable to [batch, 1, target, source]; True where attention is allowed. Heads that mix
                their scores share one mask.

        Returns:
            context: float [batch, target, width]; the output projection's bias in rows that allow nothing.
            weights: float [batch, heads, target, source], mixed, by which the values are summed; 0 where not allowed.
        """
        q, k, v = self.project(query, memory)
        scores = _mix(q @ k.transpose(-1, -2) * self.scale, self.mix_scores)
        weights = _mix(masked_softmax(scores, mask), self.mix_weights)
        return self.finish(weights @ v), weights


def _mix(x: Tensor, mixture: Tensor) -> Tensor:
    """x: float [batch, heads, target, source], mixture: float [heads, heads] -> float, the shape of x."""
    return torch.einsum("bhts,hg->bgts", x, mixture)
