"""Attention with coverage (See et al. 2017, "Get To The Point: Summarization with Pointer-Generator Networks",
section 2.3, equations 10 to 13).

    c_t = sum_{t' < t} a_t'
    e_ts = v^T tanh(W q_t + U m_s + w c_ts + b),   a_t = softmax(e_t)
    loss_t = sum_s min(a_ts, c_ts)

The score reads the attention so far, and the loss penalizes attending to the same positions again, against repetition.
"""

import torch
from torch import Tensor, nn

from regard_models.attention.additive import AdditiveScore
from regard_models.attention.soft import attend


class CoverageAttention(nn.Module):
    """Soft attention with an additive score that reads the coverage.

    Args:
        query_width, memory_width: widths of queries and memory.
        hidden_width: width of the additive score's hidden layer.
    """

    def __init__(self, query_width: int, memory_width: int, hidden_width: int) -> None:
        super().__init__()
        self.score = AdditiveScore(query_width, memory_width, hidden_width, bias=True)
        self.coverage = nn.Linear(1, hidden_width, bias=False)

    def forward(
        self,
        query: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        *,
        coverage: Tensor,
        keys: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Lets every query attend to the memory, each with its own coverage.

        A decoder calls this once per step, with one query or one per hypothesis, and then adds the weights to the
        coverage.

        Args:
            query: float [batch, target, query_width].
            memory: float [batch, source, memory_width].
            mask: bool, broadcastable to [batch, target, source]; True where attention is allowed.
            coverage: float [batch, target, source]; the sum of the weights of the steps before each query; 0 at the
                first.
            keys: the result of `score.prepare(memory)`, if already computed.

        Returns:
            context: float [batch, target, memory_width]; 0 in rows that allow nothing.
            weights: float [batch, target, source]; each row sums to 1, or is 0 if it allows nothing.
        """
        keys = self.score.prepare(memory) if keys is None else keys
        return attend(self.score(query, keys, self.coverage(coverage[..., None])), memory, mask)


def coverage_before(weights: Tensor) -> Tensor:
    """Equation 10 for a whole sequence: float [batch, target, source] -> float [batch, target, source]."""
    return weights.cumsum(-2) - weights


def coverage_loss(weights: Tensor, coverage: Tensor, target_mask: Tensor | None = None) -> Tensor:
    """Equation 12, averaged over target positions; equation 13 adds it to the negative log-likelihood.

    Args:
        weights: float [batch, target, source].
        coverage: float [batch, target, source]; before each step, see `coverage_before`.
        target_mask: bool [batch, target]; False on padding, which does not count.

    Returns:
        loss: float []; between 0 and 1; 0 if there is no target.
    """
    overlap = torch.minimum(weights, coverage).sum(-1)  # [batch, target]
    if target_mask is None:
        return overlap.mean()
    return overlap.masked_fill(~target_mask, 0.0).sum() / target_mask.sum().clamp_min(1)
