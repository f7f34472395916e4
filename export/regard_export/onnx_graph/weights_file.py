"""Weights outside the graphs' files: the graphs of one precision share a file, and equal weights are in it once."""

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import external_data_helper

from regard.arrays import Float32Array
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.quantize import Form, Linear
from regard_export.resources.memory import give_memory_back

MIN_BYTES = 1024  # smaller constants stay in the graph, where optimizations may want to read them
ALIGNMENT = 64
BYTES_A_PAUSE = 2**23  # of constants, after which what was read for them is given back


class WeightsFile:
    """Writes large constants to one file.

    A tied embedding that one graph gathers from and another multiplies with costs its size once, as long
    as both want the same bytes; their shapes may differ.

    Args:
        min_bytes: the smallest constants that go into the file; `MIN_BYTES` if None.
    """

    def __init__(self, path: Path, *, min_bytes: int | None = None) -> None:
        self._path = path
        self._min_bytes = MIN_BYTES if min_bytes is None else min_bytes
        self._stream = path.open("wb")
        self._offsets: dict[bytes, int] = {}
        self._num_taken = 0  # bytes since the last pause

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def take(self, tensor: onnx.TensorProto, array: NDArray[Any], digest: bytes) -> bool:
        """As `ConstantStore` has it."""
        if array.nbytes < self._min_bytes:
            return False
        self._place(tensor, array.reshape(-1).view(np.uint8).data, digest)
        return True

    def take_from(self, model: onnx.ModelProto) -> bool:
        """Moves large constants that the model still holds into the file; returns whether any is there."""
        for tensor in model.graph.initializer:
            data = tensor.raw_data
            if len(data) >= self._min_bytes:
                self._place(tensor, memoryview(data), hashlib.sha256(data).digest())
        return any(external_data_helper.uses_external_data(tensor) for tensor in model.graph.initializer)

    def _place(self, tensor: onnx.TensorProto, data: memoryview, digest: bytes) -> None:
        """Writes bytes, unless they are there, and points the tensor at them."""
        if digest not in self._offsets:
            self._stream.write(b"\0" * (-self._stream.tell() % ALIGNMENT))
            self._offsets[digest] = self._stream.tell()
            self._stream.write(data)
        tensor.raw_data = b""  # or the helper refuses
        external_data_helper.set_external_data(tensor, self._path.name, self._offsets[digest], len(data))
        tensor.ClearField("raw_data")
        self._pause(len(data))

    def _pause(self, num_bytes: int) -> None:
        """Gives memory back now and then: a model is never there as a whole because its graphs are drawn.

        Constants count that are in the file already, for they were read as well.
        """
        self._num_taken += num_bytes
        if self._num_taken >= BYTES_A_PAUSE:
            give_memory_back()
            self._num_taken = 0


def stored(form: Form, weights: WeightsFile) -> Form:
    """The same form, whose graphs put large constants into the file at once: a graph need not fit into memory."""

    def linear(graph: GraphBuilder, x: str, layer: Linear) -> str:
        graph.store = weights
        return form.linear(graph, x, layer)

    def head(graph: GraphBuilder, x: str, layer: Linear) -> str:
        graph.store = weights
        return form.head(graph, x, layer)

    def embed(graph: GraphBuilder, table: Float32Array, ids: str) -> str:
        graph.store = weights
        return form.embed(graph, table, ids)

    return Form(linear, head, embed)
