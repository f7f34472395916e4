"""Builders that write a graph's weights to a file as they add them, so that a graph need not fit into memory."""

from dataclasses import replace

from regard.arrays import Float32Array
from regard_export.descriptions.layers import Linear
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.weights_file import WeightsFile
from regard_export.precision.layer_builders import LayerBuilders


def with_weights_file(builders: LayerBuilders, weights: WeightsFile) -> LayerBuilders:
    """The same builders, which store large constants in the file at once."""

    def linear(graph: GraphBuilder, x: str, layer: Linear) -> str:
        graph.store = weights
        return builders.linear(graph, x, layer)

    def head(graph: GraphBuilder, x: str, layer: Linear) -> str:
        graph.store = weights
        return builders.head(graph, x, layer)

    def embed(graph: GraphBuilder, table: Float32Array, ids: str) -> str:
        graph.store = weights
        return builders.embed(graph, table, ids)

    return replace(builders, linear=linear, head=head, embed=embed)
