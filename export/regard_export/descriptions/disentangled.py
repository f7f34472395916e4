"""The weights of an encoder with disentangled attention (He et al. 2021), from which its graphs are built."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from regard.arrays import Float32Array, Int64Array
from regard_export.descriptions.transformer_weights import TransformerWeights
from regard_models.nets.transformer_config import Side


@dataclass(frozen=True)
class DisentangledDescription(TransformerWeights):
    """Weights by the parameter names of `BertEncoder`'s layers, and the vectors of relative positions.

    Attributes:
        position_table: float32 [max_positions, width], added to the embeddings; None: nothing is.
        relative: float32 [2 x span, width], the vectors of relative positions.
        position_layers: the linear layers that make keys ("key") and queries ("query") of these, by the name of an
            attention and the kind: `ATTENTION.KIND` where they are the content's own, else `ATTENTION.position_KIND`.
            Without a kind, the scores have no such term.
        buckets: distances beyond half of them share buckets, logarithmically; 0: each distance has its own.
        max_distance: of the buckets.
    """

    position_table: Float32Array | None = field(kw_only=True)
    relative: Float32Array = field(kw_only=True)
    position_layers: dict[str, str] = field(kw_only=True)
    buckets: int = field(kw_only=True)
    max_distance: int = field(kw_only=True)

    def positions(self, side: Side) -> Float32Array | None:
        """See `TransformerWeights`."""
        return self.position_table

    def distance_bias(self, side: Side) -> Float32Array:
        """See `TransformerWeights`. Raises ValueError: positions have no bias of their own."""
        raise ValueError("disentangled attention has no bias of distances alone")

    @property
    def score_scale(self) -> float:
        """Factor on the scores: a term more has a wider spread."""
        return float(((1 + len(self.position_layers)) * self.config.width_of_head) ** -0.5)

    def position_vectors(self, attention: str, kind: str) -> Float32Array | None:
        """Scaled keys or queries of relative positions, float32 [heads, head width, 2 x span]; None: no such term."""
        layer = self.position_layers.get(kind)
        if layer is None:
            return None
        linear = self.linear(f"{attention}.{layer}")
        made = self.relative @ linear.weight.T + (0.0 if linear.bias is None else linear.bias)
        by_head = made.reshape(len(made), self.config.num_heads, -1).transpose(1, 2, 0) * self.score_scale
        return np.ascontiguousarray(by_head, np.float32)

    @cached_property
    def rows_of_distances(self) -> Int64Array:
        """int64 [2 x max_positions - 1]: the row of `relative` of each distance query - key, from the least on."""
        span = len(self.relative) // 2
        last = self.config.max_positions - 1
        distances = np.arange(-last, last + 1)
        if self.buckets:
            distances = bucketed(distances, self.buckets, self.max_distance)
        rows: Int64Array = np.clip(distances + span, 0, 2 * span - 1).astype(np.int64)
        return rows


def bucketed(distances: Int64Array, buckets: int, max_distance: int) -> Int64Array:
    """Distances up to half of the buckets as they are, and the logarithm of those beyond, rounded up.

    In float32, as the original computes them: a rounded logarithm may lie on either side of a whole number.
    """
    middle = buckets // 2
    size = np.abs(distances).astype(np.float32)
    beyond = np.maximum(size, np.float32(middle)) / np.float32(middle)
    longest = np.log(np.float32((max_distance - 1) / middle))
    logarithms = np.ceil(np.log(beyond) / longest * np.float32(middle - 1)) + middle
    found: Int64Array = np.where(size <= middle, distances, logarithms * np.sign(distances)).astype(np.int64)
    return found
