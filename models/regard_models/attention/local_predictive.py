"""Local attention with predictive alignment, local-p (Luong et al. 2015, section 3.2, equations 9 and 10).

    p_t = S sigmoid(v^T tanh(W q_t))
    a_ts = align(q_t, m_s) exp(-(s - p_t)^2 / (2 sigma^2)),   sigma = D / 2
    align = softmax of the scores over the window [p_t - D, p_t + D], 0 elsewhere

The model predicts the centre of its window. As in the paper, the weights are not normalized again after the Gaussian,
so rows sum to less than 1. p_t gets its gradient through the Gaussian; the window's borders have no gradient.
"""

import torch
from torch import Tensor, nn

from regard_models.attention.local_monotonic import within
from regard_models.attention.masking import masked_softmax
from regard_models.attention.score import Score


class LocalPredictiveAttention(nn.Module):
    """Soft attention in a window around a position that the query predicts.

    Args:
        score: the score of a query and a memory position.
        query_width: width of the queries.
        hidden_width: width of the layer that predicts the position.
        radius: D, at least 1; the window is 2 D wide.
    """

    def __init__(self, score: Score, query_width: int, hidden_width: int, radius: int) -> None:
        super().__init__()
        if radius < 1:
            raise ValueError(f"radius {radius} is below 1, and the Gaussian's width is half of it")
        self.score = score
        self.hidden = nn.Linear(query_width, hidden_width, bias=False)
        self.position = nn.Linear(hidden_width, 1, bias=False)
        self.radius = radius

    def forward(
        self, query: Tensor, memory: Tensor, mask: Tensor | None = None, *, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Lets every query attend to the memory around the position that it predicts.

        Args:
            query: float [batch, target, query_width].
            memory: float [batch, source, memory_width].
            mask: bool, broadcastable to [batch, target, source]; True where attention is allowed. S is the number of
                positions that a row allows, so padding must be at the end.
            keys: the result of `score.prepare(memory)`, if already computed.

        Returns:
            context: float [batch, target, memory_width].
            weights: float [batch, target, source]; each row sums to at most 1, or is 0 if the window contains no
                allowed position.
        """
        source = memory.shape[-2]
        if mask is None:
            mask = torch.ones(source, dtype=torch.bool, device=memory.device)
        mask = mask.expand(*mask.shape[:-1], source)
        centres = self.predict(query, mask.sum(-1, keepdim=True))
        window = within(self.radius, centres, source)
        scores = self.score(query, self.score.prepare(memory) if keys is None else keys)
        align = masked_softmax(scores, window & mask)
        distances = torch.arange(source, device=query.device) - centres
        weights = align * torch.exp(-2 * (distances / self.radius) ** 2)  # sigma = D / 2
        return weights @ memory, weights

    def predict(self, query: Tensor, lengths: Tensor) -> Tensor:
        """query: float [batch, target, query_width]; lengths: int64, S, broadcastable to [batch, target, 1] -> p: float
        [batch, target, 1], between 0 and S.
        """
        return lengths * torch.sigmoid(self.position(torch.tanh(self.hidden(query))))
