"""Hard attention trained straight through (Bengio et al. 2013, "Estimating or Propagating Gradients Through Stochastic
Neurons for Conditional Computation", section 4).

    forward:  a_t = one_hot(argmax_s score(q_t, m_s)),   c_t = sum_s a_ts m_s
    backward: as if a_t were softmax_s(score(q_t, m_s))

The gradient is biased but has little variance, and training needs neither draws nor a baseline. See `hard.py` for the
unbiased way.
"""

from torch import Tensor, nn

from regard_models.attention.hard import one_hot_of_highest
from regard_models.attention.masking import masked_softmax
from regard_models.attention.score import Score


class StraightThroughAttention(nn.Module):
    """Selects the most probable position of the memory, with the gradient of soft attention.

    Args:
        score: the score of a query and a memory position.
    """

    def __init__(self, score: Score) -> None:
        super().__init__()
        self.score = score

    def forward(
        self, query: Tensor, memory: Tensor, mask: Tensor | None = None, *, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Selects the most probable position, in training and inference. Arguments as in `SoftAttention.forward`.

        Returns:
            context: float [batch, target, memory_width]: the memory at one position; 0 in rows that allow nothing.
            weights: float [batch, target, source]; one-hot (the first of equals); 0 in rows that allow nothing.
                Their gradient is that of the softmax.
        """
        soft = masked_softmax(self.score(query, self.score.prepare(memory) if keys is None else keys), mask)
        hard = one_hot_of_highest(soft.detach())
        weights = hard + (soft - soft.detach())  # the bracket is exactly 0 and carries the gradient
        return weights @ memory, weights
