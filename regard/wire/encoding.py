"""The weights of an attention map as bytes: dense or sparse, as float32, float16 or uint8."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regard.arrays import Float32Array
from regard.errors import BadResponse
from regard.v1 import regard_pb2 as pb

# Little-endian on every machine.
_DTYPES: dict[int, np.dtype[Any]] = {
    pb.ENCODING_FLOAT32: np.dtype("<f4"),
    pb.ENCODING_FLOAT16: np.dtype("<f2"),
    pb.ENCODING_UINT8: np.dtype("u1"),
}
_INDEX_DTYPE = np.dtype("<u2")


def decode(message: pb.AttentionMap) -> Float32Array:
    """Reads the weights of a map; a weight that a sparse map leaves out is 0.

    Returns:
        float32 of the map's shape, read-only.

    Raises:
        BadResponse: shape, encoding, data and indices do not match.
    """
    shape = tuple(message.shape)
    if not shape or min(shape) < 0:
        raise BadResponse(f"an attention map has the shape {list(shape)}")
    if message.top_k < 0 or message.top_k > shape[-1]:
        raise BadResponse(f"an attention map has top_k {message.top_k}, but its last axis is {shape[-1]} long")
    if message.top_k:
        stored = _numbers(message, (*shape[:-1], message.top_k))
        values = _scatter(stored, message.indices, shape)
    else:
        values = _numbers(message, shape)
    values.setflags(write=False)
    return values


def _numbers(message: pb.AttentionMap, shape: tuple[int, ...]) -> Float32Array:
    """The weights that `data` stores, float32 [*shape]."""
    dtype = _DTYPES.get(message.encoding)
    if dtype is None:
        raise BadResponse(f"an attention map has the unknown encoding {message.encoding}")
    stored = _read(message.data, dtype, shape, "data")
    numbers = stored.astype(np.float32)
    if message.encoding == pb.ENCODING_UINT8:
        numbers *= np.float32(message.scale)
    return numbers


def _scatter(stored: Float32Array, indices: bytes, shape: tuple[int, ...]) -> Float32Array:
    """Writes the weights of a sparse map, [..., top_k], at their positions on the last axis: float32 [*shape]."""
    positions = _read(indices, _INDEX_DTYPE, stored.shape, "indices").astype(np.int64)
    if positions.size and positions.max() >= shape[-1]:
        raise BadResponse(f"an attention map has the index {positions.max()}, but its last axis is {shape[-1]} long")
    values = np.zeros(shape, np.float32)
    np.put_along_axis(values, positions, stored, axis=-1)
    return values


def _read(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], name: str) -> NDArray[Any]:
    """`data` as an array of this type and shape. Raises BadResponse if it has another size."""
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise BadResponse(f"an attention map's {name} has {len(data)} bytes, but its shape asks for {expected}")
    return np.frombuffer(data, dtype).reshape(shape)


def encode(values: Float32Array, encoding: int, top_k: int, scale: float) -> tuple[bytes, bytes]:
    """`data` and `indices` of a map with these weights: the inverse of `decode`.

    Args:
        values: float32 [..., n].
        encoding: a number of the enum Encoding.
        top_k: how many of the largest weights of each row, the last axis, are kept; 0 keeps all.
        scale: the step between two values of ENCODING_UINT8; other encodings ignore it.

    Raises:
        BadResponse: the encoding is unknown.
    """
    if encoding not in _DTYPES:
        raise BadResponse(f"an attention map has the unknown encoding {encoding}")
    indices = b""
    if top_k:
        positions = np.argsort(-values, axis=-1, kind="stable")[..., :top_k]
        values = np.take_along_axis(values, positions, axis=-1)
        indices = positions.astype(_INDEX_DTYPE).tobytes()
    if encoding == pb.ENCODING_UINT8:
        values = np.rint(values / (np.float32(scale) or np.float32(1)))
    return values.astype(_DTYPES[encoding]).tobytes(), indices
