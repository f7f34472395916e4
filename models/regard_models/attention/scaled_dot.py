"""The scaled dot score (Vaswani et al. 2017, "Attention Is All You Need", section 3.2.1, equation 1).

    score(q, k) = q^T k / sqrt(d)

The dot product of d independent numbers of variance 1 has variance d; the scale restores variance 1, at which the
softmax still has a gradient.
"""

from torch import Tensor, nn


class ScaledDotScore(nn.Module):
    """The dot product over the square root of the width."""

    def prepare(self, memory: Tensor) -> Tensor:
        """memory: float [batch, source, width] -> keys: the memory itself."""
        return memory

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """query: float [batch, target, width]; keys: float [batch, source, width] -> float [batch, target, source]."""
        return query @ keys.transpose(-1, -2) * query.shape[-1] ** -0.5
