"""How weights and activations become 8-bit and 4-bit numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regard.arrays import Float32Array
from regard_export.errors import ExportError

MAX_BLOCK_SIZE = 64  # with 128, kernels for one row and for several round differently, and differences grow
MAX_4BIT_BLOCK_SIZE = 16  # with more, kernels for one row and for several round differently
MIN_BLOCK_SIZE = 16
ROWS_PER_CHUNK = 4096
# CPUs without VNNI instructions sum two products of 8-bit numbers in 16 bits: 2 * 255 * 63 fits, 2 * 255 * 127 does
# not. With weights this small none of them needs a slower path, and all compute the same numbers.
MAX_8BIT_WEIGHT = 63


@dataclass(frozen=True)
class ActivationRange:
    """The numbers between which a layer's inputs lie."""

    least: float
    most: float

    def quantization(self) -> tuple[np.float32, np.uint8]:
        """Scale and zero point of uint8: x = scale * (quantized - zero point); 0 is represented exactly."""
        least, most = min(self.least, 0.0), max(self.most, 0.0)
        scale = max((most - least) / 255, float(np.finfo(np.float32).tiny))
        return np.float32(scale), np.uint8(round(-least / scale))


def block_size(width: int) -> int:
    """The largest supported block size that divides the width.

    Raises:
        ExportError: no supported block size divides it.
    """
    size = MAX_BLOCK_SIZE
    while width % size:
        size //= 2
    if size < MIN_BLOCK_SIZE:
        raise ExportError(
            f"quantized weights need widths that are multiples of {MIN_BLOCK_SIZE}, not {width}: "
            "choose --precision float32"
        )
    return size


def quantize_blocks_8bit(weight: Float32Array) -> tuple[NDArray[np.uint8], Float32Array]:
    """Symmetric 8-bit quantization along the last axis, a scale per block: weight = scale * (quantized - 128).

    Args:
        weight: float32 [..., width].

    Returns:
        quantized: uint8 [..., blocks, block_size].
        scales: float32 [..., blocks].
    """
    blocks = weight.reshape(*weight.shape[:-1], -1, block_size(weight.shape[-1]))
    scales = np.maximum(np.abs(blocks).max(-1) / 127, np.finfo(np.float32).tiny).astype(np.float32)
    quantized = np.rint(blocks / scales[..., None]) + 128
    return quantized.astype(np.uint8), scales


def quantize_blocks_4bit(weight: Float32Array, size: int) -> tuple[NDArray[np.uint8], Float32Array]:
    """4-bit quantization, a scale per block: weight = scale * (quantized - 8); two numbers per byte, the first low.

    The number of largest magnitude becomes -8, so that the scale may be negative and all 16 values are used.

    Args:
        weight: float32 [out, width].
        size: of a block.

    Returns:
        quantized: uint8 [out, blocks, size / 2].
        scales: float32 [out, blocks].
    """
    blocks = weight.reshape(len(weight), -1, size)
    extreme = np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)[..., 0]
    scales = np.where(extreme == 0, 1, extreme / -8).astype(np.float32)
    numbers = np.clip(np.rint(blocks / scales[..., None]) + 8, 0, 15).astype(np.uint8)
    return numbers[..., ::2] | numbers[..., 1::2] << 4, scales


def quantize_per_output(weight: Float32Array) -> tuple[NDArray[np.int8], Float32Array]:
    """Symmetric quantization to at most `MAX_8BIT_WEIGHT`, a scale per output: weight^T = scale * quantized.

    Args:
        weight: float32 [out, in].

    Returns:
        quantized: int8 [in, out], a view of [out, in] as tables are stored.
        scales: float32 [out].
    """
    scales = np.maximum(np.maximum(weight.max(-1), -weight.min(-1)) / MAX_8BIT_WEIGHT, np.finfo(np.float32).tiny)
    quantized = np.empty(weight.shape, np.int8)
    for first in range(0, len(weight), ROWS_PER_CHUNK):  # without a float copy of a whole table
        rows = slice(first, first + ROWS_PER_CHUNK)
        quantized[rows] = np.rint(weight[rows] / scales[rows, None])
    return quantized.T, scales.astype(np.float32)
