"""Encodes the weights of a map for the wire: float32, float16 or uint8, little-endian, dense or sparse.

`regard.v1.AttentionMap` describes the format; the client has its own decoder.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from regard.arrays import Float32Array
from regard_service.domain.calls import MapEncoding

UINT8_MAX = 255
MAX_SPARSE_LENGTH = 1 << 16  # indices are uint16
INDEX_BYTES = 2
WEIGHT_BYTES: dict[MapEncoding, int] = {"float32": 4, "float16": 2, "uint8": 1}


@dataclass(frozen=True)
class EncodedMap:
    """A map's bytes.

    Attributes:
        data: the weights, row by row; a sparse row has `top_k` of them, largest first.
        indices: uint16, each weight's position on the last axis; empty for dense maps.
        top_k: weights per row of a sparse map; 0 for dense maps.
        scale: the factor of uint8 weights; 0 for the other encodings.
    """

    data: bytes
    indices: bytes = b""
    top_k: int = 0
    scale: float = 0.0


def encoded_bytes(values: Float32Array, encoding: MapEncoding, top_k: int | None = None) -> int:
    """Returns the number of bytes of an encoded map, indices included."""
    num_columns: int = values.shape[-1]
    if top_k is None or top_k >= num_columns:
        return values.size * WEIGHT_BYTES[encoding]
    return values.size // num_columns * top_k * (WEIGHT_BYTES[encoding] + INDEX_BYTES)


def encode_map(values: Float32Array, encoding: MapEncoding, top_k: int | None = None) -> EncodedMap:
    """Encodes a map.

    Args:
        values: float32 [..., n], at least 0.
        encoding: float16 has a relative error below 2 ** -11; uint8 an absolute error of half the largest weight / 255.
        top_k: the number of weights kept per row, the largest; None, or n and more, keeps all.

    Raises:
        ValueError: a row is too long for sparse indices.
    """
    num_columns = values.shape[-1]
    if top_k is None or top_k >= num_columns:
        data, scale = _numbers(values, encoding)
        return EncodedMap(data, scale=scale)
    if num_columns > MAX_SPARSE_LENGTH:
        raise ValueError(f"rows of {num_columns} weights exceed the {MAX_SPARSE_LENGTH} that sparse indices reach")
    largest = np.argsort(-values, axis=-1, kind="stable")[..., :top_k]
    data, scale = _numbers(np.take_along_axis(values, largest, axis=-1), encoding)
    return EncodedMap(data, largest.astype("<u2").tobytes(), top_k, scale)


def _numbers(values: Float32Array, encoding: MapEncoding) -> tuple[bytes, float]:
    """Returns the bytes, row-major, and the scale."""
    if encoding == "float32":
        return values.astype("<f4", copy=False).tobytes(), 0.0
    if encoding == "float16":
        return values.astype("<f2").tobytes(), 0.0
    # The wire carries a float32: both sides multiply by the same number.
    scale: np.floating[Any] = np.float32(values.max(initial=0.0)) / np.float32(UINT8_MAX)
    if scale == 0:
        return bytes(values.size), 0.0
    return np.minimum(np.rint(values / scale), UINT8_MAX).astype(np.uint8).tobytes(), float(scale)
