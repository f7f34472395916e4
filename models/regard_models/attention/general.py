"""The general, or bilinear, score (Luong et al. 2015, section 3.1).

    score(q, k) = q^T W k

Query and memory may differ in width and in space.
"""

from torch import Tensor, nn


class GeneralScore(nn.Module):
    """A learned matrix between query and memory.

    Args:
        query_width, memory_width: widths of queries and memory, which may differ.
    """

    def __init__(self, query_width: int, memory_width: int) -> None:
        super().__init__()
        self.key = nn.Linear(memory_width, query_width, bias=False)

    def prepare(self, memory: Tensor) -> Tensor:
        """memory: float [batch, source, memory_width] -> keys W k: float [batch, source, query_width]."""
        return self.key(memory)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """query: float [batch, target, query_width]; keys: float [batch, source, query_width], from `prepare` -> float
        [batch, target, source].
        """
        return query @ keys.transpose(-1, -2)
