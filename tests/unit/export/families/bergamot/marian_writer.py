"""Writes Marian's binary format, version 1, as `marian-conv` does."""

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

FLOAT32, INT8, INTGEMM8 = 0x404, 0x101, 0x4101
ALIGNMENT = 256


def quantized(weight: NDArray[Any]) -> tuple[NDArray[np.int8], float]:
    """int8 and its multiplier; the largest magnitude becomes 127."""
    multiplier = float(np.float32(127 / np.abs(weight).max()))
    return np.rint(weight * multiplier).astype(np.int8), multiplier


def intgemm8(weight: NDArray[Any], *, is_table: bool = False) -> tuple[int, tuple[int, ...], bytes]:
    """A matrix [in, out] as an item: transposed, but for a table, with its multiplier behind."""
    numbers, multiplier = quantized(weight)
    data = (numbers if is_table else numbers.T).tobytes() + struct.pack("<f", multiplier)
    return INTGEMM8, weight.shape, data + b"\xa5" * (ALIGNMENT - 4)


def float32(weight: NDArray[Any]) -> tuple[int, tuple[int, ...], bytes]:
    return FLOAT32, weight.shape, weight.astype("<f4").tobytes()


def options(settings: Mapping[str, Any]) -> tuple[int, tuple[int, ...], bytes]:
    content = yaml.safe_dump(dict(settings)).encode() + b"\0"
    return INT8, (len(content),), content


def binary(items: Mapping[str, tuple[int, tuple[int, ...], bytes]], *, version: int = 1) -> bytes:
    """A whole file."""
    head = struct.pack("<QQ", version, len(items))
    for name, (kind, shape, data) in items.items():
        head += struct.pack("<QQQQ", len(name) + 1, kind, len(shape), len(data))
    head += b"".join(name.encode() + b"\0" for name in items)
    head += b"".join(struct.pack(f"<{len(shape)}i", *shape) for _, shape, _ in items.values())
    padding = -(len(head) + 8) % ALIGNMENT
    return head + struct.pack("<Q", padding) + b"\0" * padding + b"".join(data for *_, data in items.values())
