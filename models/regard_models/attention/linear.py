"""Linear attention (Katharopoulos et al. 2020, "Transformers are RNNs: Fast Autoregressive Transformers with Linear
Attention", sections 3.2 to 3.4).

    context_t = phi(q_t)^T S / phi(q_t)^T z,   S = sum_s phi(k_s) v_s^T,   z = sum_s phi(k_s),   phi(x) = elu(x) + 1

S and z are sums over the source that all queries share; in the causal form they are running sums over s <= t. The
equivalent weights, phi(q_t)^T phi(k_s) / phi(q_t)^T z, are never formed unless requested. They are not those of the
softmax: a model must be trained with this attention.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from regard_models.attention.heads import HeadProjections


@dataclass(frozen=True)
class LinearState:
    """The state of the causal form, which is a recurrent network (section 3.4).

    Attributes:
        s: float [batch, heads, head_width, head_width]; the sum of phi(k) v^T.
        z: float [batch, heads, head_width]; the sum of phi(k).
    """

    s: Tensor
    z: Tensor


class LinearAttention(HeadProjections):
    """Attention in several heads with a cost linear in the lengths.

    Args:
        width: model width; a multiple of `num_heads`.
        num_heads: heads.
        causal: whether a position attends only to itself and to earlier positions; requires self-attention.
        bias: whether the four projections add a bias.
    """

    def __init__(self, width: int, num_heads: int, *, causal: bool = False, bias: bool = True) -> None:
        super().__init__(width, num_heads, bias=bias)
        self.causal = causal

    def forward(
        self, query: Tensor, memory: Tensor, source_mask: Tensor | None = None, *, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Lets every query position attend to the memory.

        Args:
            query: float [batch, target, width].
            memory: float [batch, source, width]; as long as the query if causal.
            source_mask: bool [batch, source]; False on padding. (Since all queries share the sums, there is no mask
                of pairs.)
            need_weights: whether to form the weights, at the quadratic cost that this mechanism avoids otherwise.

        Returns:
            context: float [batch, target, width]; the output projection's bias in rows that allow nothing.
            weights: float [batch, heads, target, source]; each row sums to 1 over the allowed positions, or is 0 if
                there are none. None unless `need_weights`.
        """
        q, k, v = self.project(query, memory)
        q, k = feature(q), feature(k)
        if source_mask is not None:
            k = k.masked_fill(~source_mask[:, None, :, None], 0.0)
        if need_weights:
            weights = self._weights(q, k)
            return self.finish(weights @ v), weights
        return self.finish(_causal(q, k, v) if self.causal else _full(q, k, v)), None

    def step(self, x: Tensor, state: LinearState | None = None) -> tuple[Tensor, LinearState]:
        """Runs one position of the causal form, at a cost independent of the number of earlier positions.

        Args:
            x: float [batch, 1, width]; the newest position.
            state: state of the earlier positions; None at the first.

        Returns:
            context: float [batch, 1, width].
            state: state of all positions so far.
        """
        q, k, v = self.project(x, x)
        q, k = feature(q), feature(k)
        s, z = k.transpose(-1, -2) @ v, k.squeeze(-2)
        if state is not None:
            s, z = state.s + s, state.z + z
        return self.finish(_divide(q @ s, q @ z[..., None])), LinearState(s, z)

    def _weights(self, q: Tensor, k: Tensor) -> Tensor:
        weights = q @ k.transpose(-1, -2)
        if self.causal:
            weights = weights.tril()
        return _divide(weights, weights.sum(-1, keepdim=True))


def feature(x: Tensor) -> Tensor:
    """phi(x) = elu(x) + 1 (equation 7), which is positive."""
    return functional.elu(x) + 1


def _full(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Equation 5. q: float [batch, heads, target, head_width]; k, v: float [batch, heads, source, head_width]."""
    s = k.transpose(-1, -2) @ v  # [batch, heads, head_width, head_width]
    z = k.sum(-2)[..., None]  # [batch, heads, head_width, 1]
    return _divide(q @ s, q @ z)


def _causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Equations 9 to 12. q, k, v: float [batch, heads, n, head_width]."""
    s = (k[..., :, None] * v[..., None, :]).cumsum(2)  # [batch, heads, n, head_width, head_width]
    z = k.cumsum(2)[..., None]  # [batch, heads, n, head_width, 1]
    q = q[..., None, :]  # [batch, heads, n, 1, head_width]
    return _divide(q @ s, q @ z).squeeze(-2)


def _divide(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divides, with 0 / 0 = 0 in rows that allow nothing."""
    return numerator / denominator.masked_fill(denominator == 0, 1.0)
