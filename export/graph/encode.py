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
        self.positions = ""  # where they are relative, nothing is looked up by position
        if self.config.positions != "relative":
            self.positions = declare(TensorSpec(name="source_positions", dtype="int64", shape=("tokens",)))
        self.to_packed = declare(TensorSpec(name="padded_to_packed", dtype="int64", shape=("requests", "source")))
        self.to_padded = declare(TensorSpec(name="packed_to_padded", dtype="int64", shape=("tokens",)))
        self.lengths = declare(TensorSpec(name="source_lengths", dtype="int32", shape=("requests",)))
        self.score_bias = self._score_bias() if self.config.positions == "relative" else ""

    def draw(self) -> Graph:
        table = self.description.source_embedding * np.float32(self.embedding_scale)
        embedded = self.embed("encoder", table, self.ids, self.positions)
        self._memory(self.run(embedded, *self.encoder_layers(self._attention)))
        return Graph(self.graph.build(), tuple(self.graph.inputs), tuple(self.graph.outputs))

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

    def _memory(self, states: str) -> None:
        """Keys and values of cross-attention; states: [tokens, width]."""
        self.memory_outputs(self.graph.node("Gather", self.project_memory(states), self.to_packed))
