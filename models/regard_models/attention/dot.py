"""The dot score (Luong et al. 2015, "Effective Approaches to Attention-based Neural Machine Translation", section 3.1).

    score(q, k) = q^T k

No parameters: query and memory must have equal width and share one space.
"""

from torch import Tensor, nn


class DotScore(nn.Module):
    """The plain dot product."""

    def prepare(self, memory: Tensor) -> Tensor:
        """memory: float [batch, source, width] -> keys: the memory itself."""
        return memory

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """query: float [batch, target, width]; keys: float [batch, source, width] -> float [batch, target, source]."""
        return query @ keys.transpose(-1, -2)
