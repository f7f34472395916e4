"""How each precision computes a linear layer and reads an embedding; a form is a few small functions.

Every form computes a row from that row alone. `DynamicQuantizeMatMul`, which is faster, scales activations by the
largest of all rows, so that a caller's result would depend on who shares the batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray
from regard_service.bundle import Precision

from regard.arrays import Float32Array
from regard_export.errors import ExportError
from regard_export.onnx_graph.builder import GraphBuilder

MAX_BLOCK_SIZE = 64  # with 128, one row and several take kernels that round differently, and differences grow
MAX_SMALL_BLOCK_SIZE = 16  # of 4-bit weights; with more, one row and several take kernels that round differently
MIN_BLOCK_SIZE = 16
ROWS_AT_ONCE = 4096
LARGE_TABLE = 2**23  # numbers, from where a table in two forms costs more than a few operators
# CPUs without VNNI instructions add two products of 8-bit numbers up in 16 bits: 2 * 255 * 63 fits, 2 * 255 * 127 does
# not. Where weights are small enough none of them has to take the slower way round, and all compute the same numbers.
LARGEST_WEIGHT = 63

INT8_ACTIVATIONS = 4  # MatMulNBits' accuracy_level: activations are quantized too, one scale a row and block


@dataclass(frozen=True)
class Linear:
    """y = x W^T + b.

    Attributes:
        weight: float32 [out, in], as PyTorch stores it.
        bias: float32 [out].
    """

    name: str
    weight: Float32Array
    bias: Float32Array | None = None

    @classmethod
    def joined(cls, name: str, parts: "list[Linear]") -> "Linear":
        """Several layers of one input as one; their outputs stand next to each other."""
        biases = [part.bias for part in parts if part.bias is not None]
        weight = np.concatenate([part.weight for part in parts])
        return cls(name, weight, np.concatenate(biases) if biases else None)

    def scaled(self, factor: float) -> "Linear":
        bias = None if self.bias is None else self.bias * np.float32(factor)
        return Linear(self.name, self.weight * np.float32(factor), bias)


@dataclass(frozen=True)
class Range:
    """The numbers that a layer's inputs lie between."""

    least: float
    most: float

    def quantization(self) -> tuple[np.float32, np.uint8]:
        """Scale and zero point of uint8: x = scale * (quantized - zero point); 0 is exact."""
        least, most = min(self.least, 0.0), max(self.most, 0.0)
        scale = max((most - least) / 255, float(np.finfo(np.float32).tiny))
        return np.float32(scale), np.uint8(round(-least / scale))


Draw = Callable[[GraphBuilder, str, Linear], str]


@dataclass(frozen=True)
class Form:
    """What a precision's graphs are made of.

    Attributes:
        linear: (graph, x, layer) -> y, of x's rank.
        head: the same for the projection to the vocabulary, x of rank 2; if the layer's weight is an embedding's table,
            both have the same bytes in the file.
        embed: (graph, table float32 [vocabulary, ..., width], ids) -> rows, [ids, ..., width].
        ranks_in_groups: whether candidates are looked for in groups, which is for CPUs: GPUs sort in parallel, and may
            not have all the operators.
    """

    linear: Draw
    head: Draw
    embed: Callable[[GraphBuilder, Float32Array, str], str]
    ranks_in_groups: bool = True


def float_linear(graph: GraphBuilder, x: str, layer: Linear) -> str:
    y = graph.node("MatMul", x, graph.constant(layer.weight.T, layer.name))
    return y if layer.bias is None else graph.node("Add", y, graph.constant(layer.bias, f"{layer.name}.bias"))


def float_head(graph: GraphBuilder, x: str, layer: Linear) -> str:
    bias = [] if layer.bias is None else [graph.constant(layer.bias, f"{layer.name}.bias")]
    return graph.node("Gemm", x, graph.constant(layer.weight, layer.name), *bias, transB=1)


def float_embed(graph: GraphBuilder, table: Float32Array, ids: str) -> str:
    return graph.node("Gather", graph.constant(table, "embedding"), ids, axis=0)


def block_linear(graph: GraphBuilder, x: str, layer: Linear) -> str:
    """8-bit weights with a scale a block; activations are quantized in the kernel, a scale a row and block."""
    quantized, scales = quantize_blocks(layer.weight)
    return _block_product(graph, x, layer, quantized, scales, bits=8, size=quantized.shape[-1])


def small_block_linear(graph: GraphBuilder, x: str, layer: Linear) -> str:
    """The same with 4-bit weights, in blocks of at most 16."""
    size = min(block_size(layer.weight.shape[-1]), MAX_SMALL_BLOCK_SIZE)
    quantized, scales = quantize_small_blocks(layer.weight, size)
    return _block_product(graph, x, layer, quantized, scales, bits=4, size=size)


def _block_product(
    graph: GraphBuilder,
    x: str,
    layer: Linear,
    quantized: NDArray[np.uint8],
    scales: Float32Array,
    *,
    bits: int,
    size: int,
) -> str:
    out, width = layer.weight.shape
    bias = [] if layer.bias is None else ["", "", graph.constant(layer.bias, f"{layer.name}.bias")]
    return graph.node(
        "com.microsoft.MatMulNBits",
        x,
        graph.constant(quantized, layer.name),
        graph.constant(scales, f"{layer.name}.scales"),
        *bias,
        K=width,
        N=out,
        bits=bits,
        block_size=size,
        accuracy_level=INT8_ACTIVATIONS,
    )


def row_linear(graph: GraphBuilder, x: str, layer: Linear) -> str:
    """8-bit weights with a scale an output; activations are quantized by a scale a row.

    More operators than `block_linear`, but a faster product: the form for many rows or many outputs.
    """
    quantized, scales = quantize_outputs(layer.weight)
    return _row_product(graph, x, layer, graph.constant(quantized, f"{layer.name}.outputs"), scales)


def _row_product(graph: GraphBuilder, x: str, layer: Linear, weight: str, scales: Float32Array) -> str:
    """The product of x, quantized by rows, with int8 [in, out] and its scales, float32 [out]."""
    largest = graph.node("ReduceMax", graph.node("Abs", x), graph.constant(np.array([-1])), keepdims=1)
    largest = graph.node("Max", largest, graph.constant(np.float32(np.finfo(np.float32).tiny)))
    unit, zero = graph.constant(np.float32(1 / 127)), graph.constant(np.uint8(128))
    rows = graph.node("QuantizeLinear", graph.node("Div", x, largest), unit, zero)
    y = graph.node(
        "com.microsoft.MatMulIntegerToFloat",
        rows,
        weight,
        unit,
        graph.constant(scales, f"{layer.name}.outputs.scales"),
        zero,
    )
    y = graph.node("Mul", y, largest)
    return y if layer.bias is None else graph.node("Add", y, graph.constant(layer.bias, f"{layer.name}.bias"))


def range_linear(graph: GraphBuilder, x: str, layer: Linear, within: Range) -> str:
    """8-bit weights with a scale an output; activations by one scale and offset that were found beforehand.

    The fewest operators and the fastest product, for one row and for many; what is out of the range is cut off.
    """
    quantized, scales = quantize_outputs(layer.weight)
    return _range_product(graph, x, layer, within, graph.constant(quantized, f"{layer.name}.outputs"), scales)


def _range_product(graph: GraphBuilder, x: str, layer: Linear, within: Range, weight: str, scales: Float32Array) -> str:
    step, zero = (graph.constant(value) for value in within.quantization())
    bias = [] if layer.bias is None else ["", graph.constant(layer.bias, f"{layer.name}.bias")]
    return graph.node(
        "com.microsoft.MatMulIntegerToFloat",
        graph.node("QuantizeLinear", x, step, zero),
        weight,
        step,
        graph.constant(scales, f"{layer.name}.outputs.scales"),
        zero,
        *bias,
    )


def row_head(graph: GraphBuilder, x: str, layer: Linear) -> str:
    """As `row_linear`. A large matrix is stored as `row_embed` reads it; ONNX Runtime turns it round when it loads."""
    return _row_product(graph, x, layer, *_head_weight(graph, layer))


def range_head(graph: GraphBuilder, x: str, layer: Linear, within: Range) -> str:
    """As `range_linear`, stored as `row_head` has it."""
    return _range_product(graph, x, layer, within, *_head_weight(graph, layer))


def _head_weight(graph: GraphBuilder, layer: Linear) -> tuple[str, Float32Array]:
    quantized, scales = quantize_outputs(layer.weight)
    if layer.weight.size < LARGE_TABLE:
        return graph.constant(quantized, f"{layer.name}.outputs"), scales
    stored = graph.constant(quantized.T, f"{layer.name}.outputs")
    return graph.node("Transpose", stored, perm=[1, 0]), scales


def embed(graph: GraphBuilder, table: Float32Array, ids: str) -> str:
    """8-bit embeddings: of small tables in one operator, of large ones in the bytes that `row_head` has too."""
    return block_embed(graph, table, ids) if table.size < LARGE_TABLE else row_embed(graph, table, ids)


def row_embed(graph: GraphBuilder, table: Float32Array, ids: str) -> str:
    quantized, scales = quantize_outputs(table.reshape(len(table), -1))
    rows = graph.node("Gather", graph.constant(quantized.T.reshape(table.shape), "embedding"), ids, axis=0)
    stored = graph.constant(scales.reshape(-1, *[1] * (table.ndim - 1)), "embedding.scales")
    return graph.node("Mul", graph.node("Cast", rows, to=onnx.TensorProto.FLOAT), graph.node("Gather", stored, ids))


def block_embed(graph: GraphBuilder, table: Float32Array, ids: str) -> str:
    quantized, scales = quantize_blocks(table)
    return graph.node(
        "com.microsoft.GatherBlockQuantized",
        graph.constant(quantized.reshape(table.shape), "embedding"),
        ids,
        graph.constant(scales, "embedding.scales"),
        bits=8,
        block_size=quantized.shape[-1],
        gather_axis=0,
        quantize_axis=table.ndim - 1,
    )


def block_size(width: int) -> int:
    """The largest supported block that divides the width."""
    size = MAX_BLOCK_SIZE
    while width % size:
        size //= 2
    if size < MIN_BLOCK_SIZE:
        raise ExportError(f"quantized weights need widths that are multiples of {MIN_BLOCK_SIZE}, not {width}")
    return size


def quantize_blocks(weight: Float32Array) -> tuple[NDArray[np.uint8], Float32Array]:
    """Symmetric 8-bit quantization along the last axis, a scale a block: weight = scale * (quantized - 128).

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


def quantize_small_blocks(weight: Float32Array, size: int) -> tuple[NDArray[np.uint8], Float32Array]:
    """4-bit quantization, a scale a block: weight = scale * (quantized - 8); two numbers a byte, the first one low.

    The number of largest magnitude becomes -8, so that the scale may be negative and all 16 values are used.

    Args:
        weight: float32 [out, width].

    Returns:
        quantized: uint8 [out, blocks, size / 2].
        scales: float32 [out, blocks].
    """
    blocks = weight.reshape(len(weight), -1, size)
    extreme = np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)[..., 0]
    scales = np.where(extreme == 0, 1, extreme / -8).astype(np.float32)
    numbers = np.clip(np.rint(blocks / scales[..., None]) + 8, 0, 15).astype(np.uint8)
    return numbers[..., ::2] | numbers[..., 1::2] << 4, scales


def quantize_outputs(weight: Float32Array) -> tuple[NDArray[np.int8], Float32Array]:
    """Symmetric quantization to at most LARGEST_WEIGHT, with a scale an output: weight^T = scale * quantized.

    Args:
        weight: float32 [out, in].

    Returns:
        quantized: int8 [in, out], a view of [out, in] as tables are stored.
        scales: float32 [out].
    """
    scales = np.maximum(np.maximum(weight.max(-1), -weight.min(-1)) / LARGEST_WEIGHT, np.finfo(np.float32).tiny)
    quantized = np.empty(weight.shape, np.int8)
    for first in range(0, len(weight), ROWS_AT_ONCE):  # tables are large, and their numbers are needed but once
        rows = slice(first, first + ROWS_AT_ONCE)
        quantized[rows] = np.rint(weight[rows] / scales[rows, None])
    return quantized.T, scales.astype(np.float32)


@dataclass(frozen=True)
class Forms:
    """The forms of a precision's two graphs: encode has a row a source token, step but a row a slot."""

    encode: Form
    step: Form


_FLOAT = Form(float_linear, float_head, float_embed)

FORMS: dict[Precision, Forms] = {
    "float32": Forms(_FLOAT, _FLOAT),
    "float16": Forms(_FLOAT, replace(_FLOAT, ranks_in_groups=False)),  # converted when drawn, see `float16.py`
    "int8": Forms(
        encode=Form(row_linear, row_head, embed),
        step=Form(block_linear, row_head, embed),
    ),
    "int4": Forms(
        encode=Form(row_linear, row_head, embed),
        step=Form(small_block_linear, row_head, embed),
    ),
}

CALIBRATED: tuple[Precision, ...] = ("int8",)
"""Precisions that gain by knowing the ranges of their layers' inputs."""


def forms_of(precision: Precision, ranges: Mapping[str, Range]) -> Forms:
    """A precision's forms; int8 has the ranges of layers fixed where they are known.

    Args:
        ranges: of what enters layers, by the layers' names.
    """
    forms = FORMS[precision]
    if precision not in CALIBRATED:
        return forms
    return Forms(_ranged(forms.encode, ranges), _ranged(forms.step, ranges))


def _ranged(form: Form, ranges: Mapping[str, Range]) -> Form:
    def linear(graph: GraphBuilder, x: str, layer: Linear) -> str:
        within = ranges.get(layer.name)
        return form.linear(graph, x, layer) if within is None else range_linear(graph, x, layer, within)

    def head(graph: GraphBuilder, x: str, layer: Linear) -> str:
        within = ranges.get(layer.name)
        return form.head(graph, x, layer) if within is None else range_head(graph, x, layer, within)

    return Form(linear, head, form.embed)
