"""Weights outside the graphs' files: the graphs of one precision share a file, which holds equal weights once."""

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import external_data_helper

from regard_export.resources.memory import release_memory

MIN_BYTES = 1024  # smaller constants stay in the graph, where ONNX Runtime's optimizations may read them
ALIGNMENT = 64
BYTES_PER_RELEASE = 2**23  # of constants, after which the memory that they were read into is released


class WeightsFile:
    """Writes large constants to one file; a `ConstantStore`.

    A tied embedding that one graph gathers from and another one multiplies with is stored once if both graphs
    need the same bytes; the shapes may differ.

    Args:
        min_bytes: size of the smallest constant that goes into the file; `MIN_BYTES` if None.
    """

    def __init__(self, path: Path, *, min_bytes: int | None = None) -> None:
        self._path = path
        self._min_bytes = MIN_BYTES if min_bytes is None else min_bytes
        self._stream = path.open("wb")
        self._offsets: dict[bytes, int] = {}
        self._bytes_since_release = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def take(self, tensor: onnx.TensorProto, array: NDArray[Any], digest: bytes) -> bool:
        """Stores an array of at least `min_bytes`, see `ConstantStore`."""
        if array.nbytes < self._min_bytes:
            return False
        self._store(tensor, array.reshape(-1).view(np.uint8).data, digest)
        return True

    def take_from(self, model: onnx.ModelProto) -> bool:
        """Moves large constants that the model still holds into the file; returns whether the model uses the file."""
        for tensor in model.graph.initializer:
            data = tensor.raw_data
            if len(data) >= self._min_bytes:
                self._store(tensor, memoryview(data), hashlib.sha256(data).digest())
        return any(external_data_helper.uses_external_data(tensor) for tensor in model.graph.initializer)

    def _store(self, tensor: onnx.TensorProto, data: memoryview, digest: bytes) -> None:
        """Writes bytes that the file does not hold yet, and points the tensor at them."""
        if digest not in self._offsets:
            self._stream.write(b"\0" * (-self._stream.tell() % ALIGNMENT))
            self._offsets[digest] = self._stream.tell()
            self._stream.write(data)
        tensor.raw_data = b""  # or the helper refuses
        external_data_helper.set_external_data(tensor, self._path.name, self._offsets[digest], len(data))
        tensor.ClearField("raw_data")
        self._release_memory_after(len(data))

    def _release_memory_after(self, num_bytes: int) -> None:
        """Releases memory once per `BYTES_PER_RELEASE`, so that a model is never in memory as a whole.

        Constants that the file already holds count too, since they were read as well.
        """
        self._bytes_since_release += num_bytes
        if self._bytes_since_release >= BYTES_PER_RELEASE:
            release_memory()
            self._bytes_since_release = 0
