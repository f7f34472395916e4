"""Weights outside the graphs' files: the graphs of one precision share a file, and equal weights are in it once."""

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Self

import onnx
from onnx import external_data_helper

MIN_BYTES = 1024  # smaller constants stay in the graph, where optimizations may want to read them
ALIGNMENT = 64


class WeightsFile:
    """Writes large constants to one file.

    A tied embedding that one graph gathers from and another multiplies with costs its size once, as long
    as both want the same bytes; their shapes may differ.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream = path.open("wb")
        self._offsets: dict[bytes, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def take_from(self, model: onnx.ModelProto) -> int:
        """Moves the model's large constants into the file; returns how many."""
        moved = 0
        for tensor in model.graph.initializer:
            data = tensor.raw_data
            if len(data) >= MIN_BYTES:
                external_data_helper.set_external_data(tensor, self._path.name, self._place(data), len(data))
                tensor.ClearField("raw_data")
                moved += 1
        return moved

    def _place(self, data: bytes) -> int:
        """Returns the offset of these bytes in the file, where they are written unless they are there."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._offsets:
            self._stream.write(b"\0" * (-self._stream.tell() % ALIGNMENT))
            self._offsets[digest] = self._stream.tell()
            self._stream.write(data)
        return self._offsets[digest]
