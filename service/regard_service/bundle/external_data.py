"""Finds the files from which an ONNX graph takes its weights: ONNX Runtime would read any beside it, listed or not.

Only the fields that lead to tensors are read (onnx/onnx.proto): of a file of gigabytes, its nodes.
"""

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

MAX_DEPTH = 64  # of graphs within graphs

_Fields = Mapping[int, str]
_MESSAGES: Mapping[str, _Fields] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
    "entry": {1: "key", 2: "value"},
}
_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5


class NotOnnx(Exception):
    """The bytes are not a graph."""


def external_files(folder: Path, graph: str) -> set[str]:
    """Returns the files that a graph names, relative to the bundle.

    Args:
        graph: the graph's file, relative to the bundle's folder.

    Raises:
        NotOnnx: the file is not a graph.
    """
    path = folder / graph
    if not path.stat().st_size:
        raise NotOnnx("is empty")
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            locations = set(_locations(content, "model", 0, len(content), 0))
        except (IndexError, UnicodeDecodeError, RecursionError) as error:
            raise NotOnnx("is not an ONNX graph") from error
    parent = PurePosixPath(graph).parent
    return {str(parent / location) for location in locations}


def _locations(content: mmap.mmap, kind: str, position: int, end: int, depth: int) -> Iterator[str]:
    """Yields the places of external data in a message."""
    fields, key = _MESSAGES[kind], ""
    if depth > MAX_DEPTH:
        raise IndexError
    while position < end:
        tag, position = _varint(content, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            _, position = _varint(content, position)
            continue
        if wire_type != _LENGTH_DELIMITED:
            position += {_FIXED64: 8, _FIXED32: 4}.get(wire_type, end)
            if position > end:
                raise IndexError
            continue
        size, start = _varint(content, position)
        position = start + size
        if position > end:
            raise IndexError
        inner = fields.get(number)
        if inner == "key":
            key = content[start:position].decode()
        elif inner == "value" and key == "location":
            yield content[start:position].decode()
        elif inner is not None and inner != "value":
            yield from _locations(content, inner, start, position, depth + 1)


def _varint(content: mmap.mmap, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
        if shift > 63:
            raise IndexError
