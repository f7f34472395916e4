"""encode.onnx: source tokens in, cross-attention's keys and values out."""

import numpy as np

from export.description import Description
from export.graph.builder import GraphBuilder
from export.graph.contract import Graph
from export.graph.stack import Stack
from export.quantize import Form
from models.bundle import TensorSpec


def build_encode(description: Description, form: Form) -> Graph:
    """Draws the encoder and the keys and values of every decoder layer's cross-attention."""
    return _EncodeGraph(description, form).draw()


class _EncodeGraph(Stack):
    """Linears run on packed tokens, [tokens, width]; only attention sees [requests, source, width]."""

    def __init__(self, description: Description, form: Form) -> None:
        super().__init__(GraphBuilder("encode"), description, form)
        declare = self.graph.input
        self.ids = declare(TensorSpec(name="source_ids", dtype="int64", shape=("tokens",)))
        self.positions = declare(TensorSpec(name="source_positions", dtype="int64", shape=("tokens",)))
        self.to_packed = declare(TensorSpec(name="padded_to_packed", dtype="int64", shape=("requests", "source")))
        self.to_padded = declare(TensorSpec(name="packed_to_padded", dtype="int64", shape=("tokens",)))
        self.lengths = declare(TensorSpec(name="source_lengths", dtype="int32", shape=("requests",)))

    def draw(self) -> Graph:
        graph = self.graph
        table = graph.constant(self.description.positions("encoder"), "positions")
        embedded = self.form.embed(graph, self.table(), self.ids)
        positions = graph.node("Gather", table, self.positions)
        self._memory(self.run(embedded, positions, *self.encoder_layers(self._attention)))
        return Graph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))

    def _attention(self, name: str, x: str) -> str:
        """Self-attention; x: [tokens, width]."""
        graph = self.graph
        projected = self.linear(x, self.projections(name, "query", "key", "value"))
        padded = graph.node("Gather", projected, self.to_packed)  # [requests, source, 3 x width]
        query, key, value = graph.nodes("Split", [padded], 3, axis=-1, num_outputs=3)
        context = graph.node(
            "com.microsoft.MultiHeadAttention", query, key, value, "", self.lengths, num_heads=self.config.num_heads
        )
        flat = graph.node("Reshape", context, graph.constant(np.array([-1, self.config.width])))
        return self.output(graph.node("Gather", flat, self.to_padded), name)

    def _memory(self, states: str) -> None:
        """Keys and values of cross-attention; states: [tokens, width]."""
        self.memory_outputs(self.graph.node("Gather", self.project_memory(states), self.to_packed))
