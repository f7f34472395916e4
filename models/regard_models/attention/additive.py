"""The additive score (Bahdanau et al. 2015, "Neural Machine Translation by Jointly Learning to Align and Translate",
section 3.1 and appendix A.1.2).

    score(q, k) = v^T tanh(W q + U k)

Luong et al. 2015 call it "concat" and write v^T tanh(W' [q; k]): the same function, with W' = [W, U] cut in two here so
that U k is computed once per source. The form with a bias inside the tanh is that of See et al. 2017, equation 1.
"""

import torch
from torch import Tensor, nn


class AdditiveScore(nn.Module):
    """A small network between query and memory.

    Args:
        query_width, memory_width: widths of queries and memory.
        hidden_width: width of the hidden layer.
        bias: whether to add a bias inside the tanh.
    """

    def __init__(self, query_width: int, memory_width: int, hidden_width: int, *, bias: bool = False) -> None:
        super().__init__()
        self.query = nn.Linear(query_width, hidden_width, bias=False)
        self.key = nn.Linear(memory_width, hidden_width, bias=bias)
        self.energy = nn.Linear(hidden_width, 1, bias=False)

    def prepare(self, memory: Tensor) -> Tensor:
        """memory: float [batch, source, memory_width] -> keys U k: float [batch, source, hidden_width]."""
        return self.key(memory)

    def forward(self, query: Tensor, keys: Tensor, extra: Tensor | None = None) -> Tensor:
        """Compares every query with every key.

        Args:
            query: float [batch, target, query_width].
            keys: float [batch, source, hidden_width], from `prepare`.
            extra: float, broadcastable to [batch, target, source, hidden_width]: further summands inside the tanh.

        Returns:
            scores: float [batch, target, source].
        """
        hidden = self.query(query)[..., :, None, :] + keys[..., None, :, :]  # [batch, target, source, hidden_width]
        if extra is not None:
            hidden = hidden + extra
        return self.energy(torch.tanh(hidden)).squeeze(-1)
