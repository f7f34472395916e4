"""Layers with 8-bit and 4-bit weights, whose activations are quantized too.

Each of them computes a row from that row alone. `DynamicQuantizeMatMul`, which is faster, scales activations by the
largest of all rows, so that a caller's result would depend on who shares the batch.
"""

import numpy as np
import onnx
from numpy.typing import NDArray

from regard.arrays import Float32Array
from regard_export.descriptions.layers import Linear
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.quantization import (
    MAX_4BIT_BLOCK_SIZE,
    ActivationRange,
    block_size,
    quantize_blocks_4bit,
    quantize_blocks_8bit,
    quantize_per_output,
)

# Numbers in a table, from which storing it in two layouts costs more than a few operators.
MIN_SHARED_TABLE_SIZE = 2**23
INT8_ACTIVATIONS = 4  # MatMulNBits' accuracy_level: activations are quantized too, a scale per row and block


ROW_ZERO = np.uint8(128)  # the zero point of activations that have a scale per row


def block_linear_8bit(graph: GraphBuilder, x: str, layer: Linear) -> str:
    """8-bit weights with a scale per block; the kernel quantizes activations with a scale per row and block."""
    quantized, scales = quantize_blocks_8bit(layer.weight)
    return _block_product(graph, x, layer, quantized, scales, bits=8, size=quantized.shape[-1])


def block_linear_4bit(graph: GraphBuilder, x: str, layer: Linear) -> str:
    """As `block_linear_8bit`, with 4-bit weights in blocks of at most 16."""
    size = min(block_size(layer.weight.shape[-1]), MAX_4BIT_BLOCK_SIZE)
    quantized, scales = quantize_blocks_4bit(layer.weight, size)
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


def dynamic_linear(graph: GraphBuilder, x: str, layer: Linear) -> str:
    """8-bit weights with a scale per output; the graph quantizes activations with a scale per row.

    More operators than `block_linear_8bit`, but a faster product: for many rows or many outputs.
    """
    quantized, scales = per_output(layer)
    return _dynamic_product(graph, x, layer, graph.constant(quantized, f"{layer.name}.outputs"), scales)


def _dynamic_product(graph: GraphBuilder, x: str, layer: Linear, weight: str, scales: Float32Array) -> str:
    """The product of x, quantized by rows, with int8 [in, out] and its scales, float32 [out]."""
    rows, unit, largest = quantized_rows(graph, x)
    y = graph.node(
        "com.microsoft.MatMulIntegerToFloat",
        rows,
        weight,
        unit,
        graph.constant(scales, f"{layer.name}.outputs.scales"),
        graph.constant(ROW_ZERO),
    )
    y = graph.node("Mul", y, largest)
    return y if layer.bias is None else graph.node("Add", y, graph.constant(layer.bias, f"{layer.name}.bias"))


def quantized_rows(graph: GraphBuilder, x: str) -> tuple[str, str, str]:
    """x as uint8 with the zero point `ROW_ZERO`, the scale of these numbers, and what each row was divided by."""
    largest = graph.node("ReduceMax", graph.node("Abs", x), graph.constant(np.array([-1])), keepdims=1)
    largest = graph.node("Max", largest, graph.constant(np.float32(np.finfo(np.float32).tiny)))
    unit = graph.constant(np.float32(1 / 127))
    rows = graph.node("QuantizeLinear", graph.node("Div", x, largest), unit, graph.constant(ROW_ZERO))
    return rows, unit, largest


def static_linear(graph: GraphBuilder, x: str, layer: Linear, activation_range: ActivationRange) -> str:
    """8-bit weights with a scale per output; activations have one scale and zero point, found by calibration.

    The fewest operators and the fastest product, for one row and for many; clips activations to their range.
    """
    quantized, scales = per_output(layer)
    weight = graph.constant(quantized, f"{layer.name}.outputs")
    return _static_product(graph, x, layer, activation_range, weight, scales)


def _static_product(
    graph: GraphBuilder, x: str, layer: Linear, activation_range: ActivationRange, weight: str, scales: Float32Array
) -> str:
    """The product of x, quantized by its range, with int8 [in, out] and its scales, float32 [out]."""
    scale, zero = (graph.constant(value) for value in activation_range.quantization())
    bias = [] if layer.bias is None else ["", graph.constant(layer.bias, f"{layer.name}.bias")]
    return graph.node(
        "com.microsoft.MatMulIntegerToFloat",
        graph.node("QuantizeLinear", x, scale, zero),
        weight,
        scale,
        graph.constant(scales, f"{layer.name}.outputs.scales"),
        zero,
        *bias,
    )


def dynamic_head(graph: GraphBuilder, x: str, layer: Linear) -> str:
    """As `dynamic_linear`. A large weight is stored as `row_embed` reads it; ONNX Runtime transposes it on loading."""
    return _dynamic_product(graph, x, layer, *_head_weight(graph, layer))


def static_head(graph: GraphBuilder, x: str, layer: Linear, activation_range: ActivationRange) -> str:
    """As `static_linear`, with the weight stored as in `dynamic_head`."""
    return _static_product(graph, x, layer, activation_range, *_head_weight(graph, layer))


def per_output(layer: Linear) -> tuple[NDArray[np.int8], Float32Array]:
    """The weight as `quantize_per_output` returns it; the checkpoint's own 8-bit numbers if it has them."""
    if layer.int8 is None:
        return quantize_per_output(layer.weight)
    return layer.int8.quantized.T, layer.int8.scales


def _head_weight(graph: GraphBuilder, layer: Linear) -> tuple[str, Float32Array]:
    quantized, scales = per_output(layer)
    if layer.weight.size < MIN_SHARED_TABLE_SIZE and layer.int8 is None:
        return graph.constant(quantized, f"{layer.name}.outputs"), scales
    stored = graph.constant(quantized.T, f"{layer.name}.outputs")
    return graph.node("Transpose", stored, perm=[1, 0]), scales


def quantized_embed(graph: GraphBuilder, table: Float32Array, ids: str) -> str:
    """8-bit embeddings: of a small table with one operator, of a large one from the bytes that the head reads too."""
    is_shared = table.size >= MIN_SHARED_TABLE_SIZE
    return row_embed(graph, table, ids) if is_shared else block_embed(graph, table, ids)


def row_embed(graph: GraphBuilder, table: Float32Array, ids: str) -> str:
    """8-bit embeddings with a scale per row."""
    quantized, scales = quantize_per_output(table.reshape(len(table), -1))
    rows = graph.node("Gather", graph.constant(quantized.T.reshape(table.shape), "embedding"), ids, axis=0)
    stored = graph.constant(scales.reshape(-1, *[1] * (table.ndim - 1)), "embedding.scales")
    return graph.node("Mul", graph.node("Cast", rows, to=onnx.TensorProto.FLOAT), graph.node("Gather", stored, ids))


def block_embed(graph: GraphBuilder, table: Float32Array, ids: str) -> str:
    """8-bit embeddings with a scale per block."""
    quantized, scales = quantize_blocks_8bit(table)
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
