"""The cross-attention of every step, for the requests of a running batch that keep attention.

One buffer a layer, so that a step costs a few array operations whatever the number of requests.
"""

from collections.abc import Sequence

import numpy as np

from regard.arrays import Float32Array, Int64Array
from regard_service.engine.runtime.slots import SlotsShape, lazy_zeros


class MapHistory:
    """Maps by row and step; the system hands out memory when a row first reaches a step."""

    def __init__(self, shape: SlotsShape, num_layers: int, num_heads: int) -> None:
        self._num_beams = shape.num_beams
        size = (shape.max_requests, shape.capacity, num_heads, shape.num_beams, shape.source)
        self._layers = [lazy_zeros(size, np.float32) for _ in range(num_layers)]

    @property
    def num_bytes(self) -> int:
        """Size of the buffers."""
        return sum(layer.nbytes for layer in self._layers)

    def keep(self, rows: Int64Array, steps: Int64Array, maps: Sequence[Float32Array]) -> None:
        """Copies one step's maps.

        Args:
            rows: int64 [n], the requests' rows; steps: int64 [n], the step of each.
            maps: one float32 [requests, heads, beams, source] a layer.
        """
        for kept, new in zip(self._layers, maps, strict=True):
            kept[rows, steps] = new[rows]

    def move(self, source_row: int, target_row: int, num_steps: int) -> None:
        """Copies the maps of a request's steps to another row."""
        for kept in self._layers:
            kept[target_row, :num_steps] = kept[source_row, :num_steps]

    def follow(self, row: int, path: Int64Array, num_source: int, first: int = 0) -> Float32Array:
        """The maps of the beams that made consecutive tokens.

        Args:
            path: int64 [target], the beam of each token.
            num_source: positions of the request's source.
            first: step of the first token.

        Returns:
            float32 [layers, heads, target, source].
        """
        steps = slice(first, first + len(path))
        if self._num_beams == 1:  # one beam made every token
            maps = np.stack([kept[row, steps, :, 0, :num_source] for kept in self._layers])
        else:
            numbers = np.arange(steps.start, steps.stop)
            maps = np.stack([kept[row, numbers, :, path, :num_source] for kept in self._layers])
        return maps.transpose(0, 2, 1, 3)  # [layers, target, heads, source] before
