"""Local attention with monotonic alignment, local-m (Luong et al. 2015, section 3.2).

    p_t = t
    a_ts = exp(e_ts) / sum_{s' in window} exp(e_ts') for s in the window [p_t - D, p_t + D], 0 elsewhere

Assumes that target and source advance at the same rate.
"""

import torch
from torch import Tensor, nn

from regard_models.attention.score import Score
from regard_models.attention.soft import attend


class LocalMonotonicAttention(nn.Module):
    """Soft attention in a window around the query's own position.

    Args:
        score: the score of a query and a memory position.
        radius: D; the window is 2 D + 1 wide.
    """

    def __init__(self, score: Score, radius: int) -> None:
        super().__init__()
        self.score = score
        self.radius = radius

    def forward(
        self,
        query: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        *,
        keys: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Lets every query attend to the memory around its own position.

        Args:
            query: float [batch, target, query_width].
            memory: float [batch, source, memory_width].
            mask: bool, broadcastable to [batch, target, source]; True where attention is allowed.
            keys: the result of `score.prepare(memory)`, if already computed.
            positions: int64, broadcastable to [batch, target]; t of each query; None means 0, 1, 2, ...

        Returns:
            context: float [batch, target, memory_width].
            weights: float [batch, target, source]; each row sums to 1. A query whose window contains no allowed
                position (it is more than D past the end of the source) gets 0 for both.
        """
        if positions is None:
            positions = torch.arange(query.shape[-2], device=query.device)
        window = within(self.radius, positions[..., None], memory.shape[-2])
        scores = self.score(query, self.score.prepare(memory) if keys is None else keys)
        return attend(scores, memory, window if mask is None else window & mask)


def within(radius: int, centres: Tensor, source: int) -> Tensor:
    """centres: int64 or float [..., 1] -> bool [..., source]: whether |s - centre| <= radius."""
    return (torch.arange(source, device=centres.device) - centres).abs() <= radius
