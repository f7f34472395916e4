"""Raw contents of tensors."""

import struct
from typing import Any

from numpy.typing import NDArray


def raw_contents(values: NDArray[Any]) -> bytes:
    """Returns the elements row by row: numbers little-endian, texts after their length."""
    if values.dtype != object:
        return values.astype(values.dtype.newbyteorder("<")).tobytes()
    return b"".join(struct.pack("<I", len(element)) + element for element in values.reshape(-1))
