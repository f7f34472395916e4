"""encode.onnx of a transformer: source tokens in, cross-attention's keys and values out."""

from dataclasses import dataclass

import numpy as np

from regard_export.architectures.traced_layers import TracedLayers
from regard_export.architectures.transformer_stack import TransformerStack
from regard_export.architectures.transformer_tensors import EncoderOutput
from regard_export.descriptions.transformer_weights import TransformerWeights
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders
from regard_service.bundle import TensorSpec


def build_encode(description: TransformerWeights, builders: LayerBuilders) -> BuiltGraph:
    """Builds the encoder, and the keys and values of every decoder layer's cross-attention."""
    graph = GraphBuilder("encode")
    encoder = EncodeGraph(graph, description, builders)
    projected = encoder.project_memory(encoder.states())
    encoder.output_memory(graph.node("Gather", projected, encoder.to_packed))
    return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))


@dataclass(frozen=True)
class TextEncoder:
    """An encoder of texts, see `Encoder`."""

    description: TransformerWeights

    @property
    def max_positions(self) -> int:
        """Tokens of the longest source."""
        return self.description.config.max_positions

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return self.description.nbytes

    def add_to(self, graph: GraphBuilder, builders: LayerBuilders) -> EncoderOutput:
        """Adds the encoder with its inputs."""
        encoder = EncodeGraph(graph, self.description, builders)
        return EncoderOutput(encoder.states(), encoder.to_packed)

    @property
    def traced_layers(self) -> int:
        """All layers."""
        return self.description.config.encoder_layers

    @property
    def traced_heads(self) -> int:
        """Heads of each layer."""
        return self.description.config.of_encoder.num_heads

    def add_traced_to(self, graph: GraphBuilder, builders: LayerBuilders) -> str:
        """Adds the encoder for one source, with its attention as outputs; returns its states."""
        ids = graph.input(TensorSpec(name="source_ids", dtype="int64", shape=("source",)))
        layers = TracedLayers(graph, self.description, builders, "encoder")
        table = self.description.source_embedding * np.float32(layers.embedding_scale)
        bias = layers.encoder_distance_bias(ids)
        return layers.encode(layers.embed("encoder", table, ids, layers.positions(ids)), lambda _: bias)


class EncodeGraph(TransformerStack):
    """The residual stream is packed, [tokens, width]; attention pads it to [requests, source, width]."""

    def __init__(self, graph: GraphBuilder, description: TransformerWeights, builders: LayerBuilders) -> None:
        super().__init__(graph, description, builders)
        declare = self.graph.input
        self.ids = declare(TensorSpec(name="source_ids", dtype="int64", shape=("tokens",)))
        self.positions = ""  # relative positions have no table
        if self.config.positions != "relative":
            self.positions = declare(TensorSpec(name="source_positions", dtype="int64", shape=("tokens",)))
        self.to_packed = declare(TensorSpec(name="padded_to_packed", dtype="int64", shape=("requests", "source")))
        self.to_padded = declare(TensorSpec(name="packed_to_padded", dtype="int64", shape=("tokens",)))
        self.lengths = declare(TensorSpec(name="source_lengths", dtype="int32", shape=("requests",)))
        self.score_bias = self._score_bias() if self.config.positions == "relative" else ""

    def states(self) -> str:
        """Adds the encoder; returns its states, [tokens, width]."""
        table = self.description.source_embedding * np.float32(self.embedding_scale)
        embedded = self.embed("encoder", table, self.ids, self.positions)
        return self.run(embedded, *self.encoder_layers(self.attention))

    def attention(self, name: str, x: str) -> str:
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
        """float32 [1, heads, source, source]: the bias of relative positions, the same in every layer."""
        graph, max_positions = self.graph, self.config.max_positions
        positions, start = graph.constant(np.arange(max_positions, dtype=np.int32)), graph.constant(np.array([0]))
        keys = graph.node("Slice", positions, start, graph.node("Shape", self.to_packed, start=1, end=2))
        queries = graph.node("Unsqueeze", keys, graph.constant(np.array([1])))
        max_distance = self.config.relative_max_distance
        bias = self.distance_bias("encoder", graph.node("Sub", keys, queries), (-max_distance, max_distance))
        return graph.node("Unsqueeze", bias, graph.constant(np.array([0])))
