"""Builders that write a graph's weights to a file as they add them, so that a graph need not fit into memory."""

from dataclasses import dataclass, replace

from regard.arrays import Float32Array
from regard_export.descriptions.layers import Linear
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.weights_file import WeightsFile
from regard_export.precision.layer_builders import LayerBuilders, ListedHead


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

    listed = None if builders.listed is None else _StoredList(builders.listed, weights)
    return replace(builders, linear=linear, head=head, embed=embed, listed=listed)


@dataclass(frozen=True)
class _StoredList:
    """A `ListedHead` whose select graph stores its weights in the file at once."""

    listed: ListedHead
    weights: WeightsFile

    def select(self, graph: GraphBuilder, layer: Linear, ids: str) -> None:
        graph.store = self.weights
        self.listed.select(graph, layer, ids)

    def project(self, graph: GraphBuilder, x: str, layer: Linear) -> str:
        return self.listed.project(graph, x, layer)
