"""The interface of scores, which rate how well a query matches a key.

Soft, hard and local attention accept any score: `dot.py`, `scaled_dot.py`, `general.py`, `additive.py`.
"""

from typing import Protocol

from torch import Tensor


class Score(Protocol):
    """e_ts = score(q_t, k_s), in two parts, since a decoder scores the same memory at every step."""

    def prepare(self, memory: Tensor) -> Tensor:
        """Computes the part that depends on the memory alone.

        Args:
            memory: float [batch, source, memory_width].

        Returns:
            keys: float [batch, source, key_width].
        """

    def __call__(self, query: Tensor, keys: Tensor) -> Tensor:
        """Compares every query with every key.

        Args:
            query: float [batch, target, query_width].
            keys: float [batch, source, key_width], from `prepare`.

        Returns:
            scores: float [batch, target, source].
        """
