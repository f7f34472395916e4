"""Multi-head attention with relative position bias (Raffel et al. 2020, "Exploring the Limits of Transfer Learning with
a Unified Text-to-Text Transformer", section 2.1).

    head_i = softmax(Q_i K_i^T scale + B_i) V_i,   B_i[t, s] = b[i, bucket(s - t)]

Each head learns one number per bucket of distances: half of the buckets contain one distance each, the other half grow
logarithmically up to a maximum, beyond which all distances share the last bucket. T5 has scale 1, no biases in the
projections, and one table for all layers of a stack.
"""

import math

import torch
from torch import Tensor, nn

from regard_models.attention.multi_head import MultiHeadAttention


class RelativePositionBias(nn.Module):
    """The table b and the buckets.

    Args:
        num_heads: heads.
        num_buckets: number of buckets of both directions together; even if `bidirectional`.
        max_distance: this and larger distances share a bucket.
        bidirectional: True distinguishes later from earlier positions, as an encoder needs; False maps all later
            positions to distance 0, as a causal decoder may.
    """

    buckets: Tensor

    def __init__(
        self, num_heads: int, *, num_buckets: int = 32, max_distance: int = 128, bidirectional: bool = True
    ) -> None:
        super().__init__()
        self.bidirectional = bidirectional
        self.buckets_a_direction = num_buckets // 2 if bidirectional else num_buckets
        self.table = nn.Embedding(num_buckets, num_heads)
        # A table of all distances: another runtime may round the logarithm differently and change a distance's bucket.
        buckets = buckets_of_distances(self.buckets_a_direction, max_distance)
        self.register_buffer("buckets", buckets, persistent=False)

    def forward(self, query_positions: Tensor, key_positions: Tensor) -> Tensor:
        """Looks up the bias.

        Args:
            query_positions: int64 [target].
            key_positions: int64 [source].

        Returns:
            score_bias: float [1, heads, target, source].
        """
        ahead = key_positions[None, :] - query_positions[:, None]  # [target, source]
        distance = ahead.abs() if self.bidirectional else (-ahead).clamp_min(0)
        bucket = self.buckets[distance.clamp_max(len(self.buckets) - 1)]
        if self.bidirectional:
            bucket = bucket + (ahead > 0) * self.buckets_a_direction
        return self.table(bucket).permute(2, 0, 1)[None]


class RelativePositionAttention(nn.Module):
    """Multi-head attention that depends on the distance and direction of positions.

    Args:
        attention: the heads; for T5 `MultiHeadAttention(width, num_heads, bias=False, scale=1.0)`.
        positions: the bias; layers may share it.
    """

    def __init__(self, attention: MultiHeadAttention, positions: RelativePositionBias) -> None:
        super().__init__()
        self.attention = attention
        self.positions = positions

    def forward(
        self,
        query: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        *,
        query_positions: Tensor | None = None,
        need_weights: bool = True,
    ) -> tuple[Tensor, Tensor | None]:
        """Lets every query position attend to the memory, with a learned bias by distance.

        Args:
            query: float [batch, target, width].
            memory: float [batch, source, width].
            mask: bool, broadcastable to [batch, heads, target, source]; True where attention is allowed.
            query_positions: int64 [target]; positions of the queries along the memory; None means 0, 1, 2, ...
            need_weights: False uses the framework's fused kernel, which never forms the weights.

        Returns:
            context, weights: as `MultiHeadAttention.forward` returns them.
        """
        if query_positions is None:
            query_positions = torch.arange(query.shape[1], device=query.device)
        score_bias = self.positions(query_positions, torch.arange(memory.shape[1], device=memory.device))
        return self.attention(query, memory, mask, score_bias=score_bias, need_weights=need_weights)


def buckets_of_distances(num_buckets: int, max_distance: int) -> Tensor:
    """int64 [max_distance + 1]: the bucket of each distance in one direction; the last entry covers larger distances.

    bucket(d) = d for d < n / 2, else n / 2 + floor(log(2 d / n) / log(2 max_distance / n) n / 2), at most n - 1.
    """
    exact = num_buckets // 2
    distances = torch.arange(max_distance + 1)
    growth = torch.log(distances.clamp_min(1) / exact) / math.log(max_distance / exact)
    logarithmic = exact + (growth * (num_buckets - exact)).long()
    return torch.where(distances < exact, distances, logarithmic.clamp_max(num_buckets - 1))
