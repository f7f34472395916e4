"""encode.onnx: source tokens in, cross-attention's keys and values out."""

from dataclasses import dataclass

import numpy as np
from regard_service.bundle import TensorSpec

from regard_export.architectures.traced_layers import TracedLayers
from regard_export.architectures.transformer_stack import Stack
from regard_export.descriptions.transformer import Description
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import Encoded, Graph
from regard_export.precision.quantize import Form


def build_encode(description: Description, form: Form) -> Graph:
    """Draws the encoder and the keys and values of every decoder layer's cross-attention."""
    graph = GraphBuilder("encode")
    encoder = _EncodeGraph(graph, description, form)
    projected = encoder.project_memory(encoder.states())
    encoder.memory_outputs(graph.node("Gather", projected, encoder.to_packed))
    return Graph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))


@dataclass(frozen=True)
class TextEncoder:
    """An encoder of texts, drawn in front of any decoder."""

    description: Description

    @property
    def max_positions(self) -> int:
        return self.description.config.max_positions

    @property
    def nbytes(self) -> int:
        return sum(weight.nbytes for weight in self.description.weights.values())

    def draw(self, graph: GraphBuilder, form: Form) -> Encoded:
        encoder = _EncodeGraph(graph, self.description, form)
        return Encoded(encoder.states(), encoder.to_packed)

    @property
    def traced_layers(self) -> int:
        return self.description.config.encoder_layers

    @property
    def traced_heads(self) -> int:
        return self.description.config.of_encoder.num_heads

    def draw_traced(self, graph: GraphBuilder, form: Form) -> str:
        ids = graph.input(TensorSpec(name="source_ids", dtype="int64", shape=("source",)))
        layers = TracedLayers(graph, self.description, form, "encoder")
        table = self.description.source_embedding * np.float32(layers.embedding_scale)
        bias = layers.encoder_distance_bias(ids)
        return layers.encode(layers.embed("encoder", table, ids, layers.positions(ids)), lambda _: bias)


class _EncodeGraph(Stack):
    """Linears run on packed tokens, [tokens, width]; only attention sees [requests, source, width]."""

    def __init__(self, graph: GraphBuilder, description: Description, form: Form) -> None:
        super().__init__(graph, description, form)
        declare = self.graph.input
        self.ids = declare(TensorSpec(name="source_ids", dtype="int64", shape=("tokens",)))
        self.positions = ""  # where they are relative, nothing is looked up by position
        if self.config.positions != "relative":
            self.positions = declare(TensorSpec(name="source_positions", dtype="int64", shape=("tokens",)))
        self.to_packed = declare(TensorSpec(name="padded_to_packed", dtype="int64", shape=("requests", "source")))
        self.to_padded = declare(TensorSpec(name="packed_to_padded", dtype="int64", shape=("tokens",)))
        self.lengths = declare(TensorSpec(name="source_lengths", dtype="int32", shape=("requests",)))
        self.score_bias = self._score_bias() if self.config.positions == "relative" else ""

    def states(self) -> str:
        """What the encoder makes of its sources, [tokens, width]."""
        table = self.description.source_embedding * np.float32(self.embedding_scale)
        embedded = self.embed("encoder", table, self.ids, self.positions)
        return self.run(embedded, *self.encoder_layers(self._attention))

    def _attention(self, name: str, x: str) -> str:
        """Self-attention; x: [tokens, width]."""
        graph = self.graph
        projected = self.linear(x, self.projections(name, "query", "key", "value"))
        padded = graph.node("Gather", projected, self.to_packed)  # [requests, source, 3 x heads' width]
        query, key, value = graph.nodes("Split", [padded], 3, axis=-1, num_outputs=3)
        sizes = self.config.of_encoder
        context = graph.node(
            "com.microsoft.MultiHeadAttention",
            *(query, key, value, "", self.lengths),
            *([self.score_bias] if self.score_bias else []),
            num_heads=sizes.num_heads,
            scale=self.score_scale(sizes.width_of_head),
        )
        flat = graph.node("Reshape", context, graph.constant(np.array([-1, sizes.attention_width])))
        return self.output(graph.node("Gather", flat, self.to_padded), name)

    def _score_bias(self) -> str:
        """float32 [1, heads, source, source]: what relative positions add to the scores, in every layer."""
        graph, most = self.graph, self.config.max_positions
        positions, start = graph.constant(np.arange(most, dtype=np.int32)), graph.constant(np.array([0]))
        keys = graph.node("Slice", positions, start, graph.node("Shape", self.to_packed, start=1, end=2))
        queries = graph.node("Unsqueeze", keys, graph.constant(np.array([1])))
        farthest = self.config.relative_max_distance
        bias = self.distance_bias("encoder", graph.node("Sub", keys, queries), (-farthest, farthest))
        return graph.node("Unsqueeze", bias, graph.constant(np.array([0])))
