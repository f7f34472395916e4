"""Layers in float32."""

from regard.arrays import Float32Array
from regard_export.descriptions.layers import Linear
from regard_export.onnx_graph.builder import GraphBuilder


def float_linear(graph: GraphBuilder, x: str, layer: Linear) -> str:
    """A `LinearBuilder` for x of any rank."""
    y = graph.node("MatMul", x, graph.constant(layer.weight.T, layer.name))
    return y if layer.bias is None else graph.node("Add", y, graph.constant(layer.bias, f"{layer.name}.bias"))


def float_head(graph: GraphBuilder, x: str, layer: Linear) -> str:
    """A `LinearBuilder` for x of rank 2, which stores the weight as an embedding's table is stored."""
    bias = [] if layer.bias is None else [graph.constant(layer.bias, f"{layer.name}.bias")]
    return graph.node("Gemm", x, graph.constant(layer.weight, layer.name), *bias, transB=1)


def float_embed(graph: GraphBuilder, table: Float32Array, ids: str) -> str:
    """Adds an embedding lookup, see `LayerBuilders.embed`."""
    return graph.node("Gather", graph.constant(table, "embedding"), ids, axis=0)
