"""How the numbers of a map go on the wire: float32, float16 or uint8, little-endian, dense or sparse.

The client has its own decoder; `regard.v1.AttentionMap` describes the format.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from regard.arrays import Float32Array
from regard_service.domain import MapEncoding

UINT8_MAX = 255
MAX_SPARSE_LENGTH = 1 << 16  # indices are uint16
INDEX_BYTES = 2
WEIGHT_BYTES: dict[MapEncoding, int] = {"float32": 4, "float16": 2, "uint8": 1}


@dataclass(frozen=True)
class EncodedMap:
    """A map's bytes.

    Attributes:
        data: the numbers, row by row; sparse rows have `top_k`, largest first.
        indices: sparse maps only, each number's position on the last axis, uint16.
        top_k: numbers a row of a sparse map; 0 means dense.
        scale: what a uint8 is multiplied by; 0 for the other encodings.
    """

    data: bytes
    indices: bytes = b""
    top_k: int = 0
    scale: float = 0.0


def encoded_bytes(values: Float32Array, encoding: MapEncoding, top_k: int | None = None) -> int:
    """How many bytes `encode_map` makes of a map, indices included."""
    num_columns: int = values.shape[-1]
    if top_k is None or top_k >= num_columns:
        return values.size * WEIGHT_BYTES[encoding]
    return values.size // num_columns * top_k * (WEIGHT_BYTES[encoding] + INDEX_BYTES)


def encode_map(values: Float32Array, encoding: MapEncoding, top_k: int | None = None) -> EncodedMap:
    """Encodes a map.

    Args:
        values: float32 [..., n], at least 0.
        encoding: float16 is off by less than 2 ** -11 of each weight; uint8 by half of the map's largest / 255.
        top_k: keep only so many of the largest weights of each row; None, or n and more, keeps all.

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
    """The bytes, row-major, and the scale."""
    if encoding == "float32":
        return values.astype("<f4", copy=False).tobytes(), 0.0
    if encoding == "float16":
        return values.astype("<f2").tobytes(), 0.0
    # float32, as the wire has it, so that both sides multiply by the same number.
    scale: np.floating[Any] = np.float32(values.max(initial=0.0)) / np.float32(UINT8_MAX)
    if scale == 0:
        return bytes(values.size), 0.0
    return np.minimum(np.rint(values / scale), UINT8_MAX).astype(np.uint8).tobytes(), float(scale)
