"""Soft attention (Bahdanau et al. 2015, section 3.1, equations 5 and 6).

    a_ts = exp(e_ts) / sum_s' exp(e_ts'),   e_ts = score(q_t, m_s)
    c_t = sum_s a_ts m_s

Xu et al. 2015 ("Show, Attend and Tell", section 4.2) use it over the regions of an image and call it deterministic.
"""

from torch import Tensor, nn

from regard_models.attention.masking import masked_softmax
from regard_models.attention.score import Score


def attend(scores: Tensor, values: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Softmax and weighted sum, shared by most mechanisms.

    Args:
        scores: float [..., target, source].
        values: float [..., source, width].
        mask: bool, broadcastable to `scores`; True where attention is allowed.

    Returns:
        context: float [..., target, width]; 0 in rows that allow nothing.
        weights: float [..., target, source], as `masked_softmax` returns them.
    """
    weights = masked_softmax(scores, mask)
    return weights @ values, weights


class SoftAttention(nn.Module):
    """A weighted mean of the whole memory.

    Args:
        score: the score of a query and a memory position.
    """

    def __init__(self, score: Score) -> None:
        super().__init__()
        self.score = score

    def forward(
        self, query: Tensor, memory: Tensor, mask: Tensor | None = None, *, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Lets every query attend to the memory.

        Args:
            query: float [batch, target, query_width].
            memory: float [batch, source, memory_width].
            mask: bool, broadcastable to [batch, target, source]; True where attention is allowed.
            keys: the result of `score.prepare(memory)`, if already computed.

        Returns:
            context: float [batch, target, memory_width]; 0 in rows that allow nothing.
            weights: float [batch, target, source]; each row sums to 1, or is 0 if it allows nothing.
        """
        return attend(self.score(query, self.score.prepare(memory) if keys is None else keys), memory, mask)
