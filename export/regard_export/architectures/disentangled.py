"""An encoder with disentangled attention (He et al. 2021, "DeBERTa: Decoding-enhanced BERT with Disentangled
Attention", equation 4): content attends to content, to positions, and positions to content.

    A_ij = Q_i K_j + Q_i P^K_d(i,j) + K_j P^Q_d(i,j), divided by sqrt(terms x head width), d(i, j) from i - j

The two terms of positions are a bias on the scores. Both are products with the vectors of all distances between two
tokens of a source, from which each pair takes its own: few, since a source has 2 n - 1 distances.
"""

from dataclasses import dataclass

import numpy as np

from regard_export.architectures.traced_layers import TracedLayers
from regard_export.architectures.transformer_encode import EncodeGraph, TextEncoder
from regard_export.architectures.transformer_tensors import EncoderOutput
from regard_export.descriptions.disentangled import DisentangledDescription
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.layer_builders import LayerBuilders
from regard_service.bundle import TensorSpec


@dataclass(frozen=True)
class DisentangledEncoder(TextEncoder):
    """An encoder of texts, see `Encoder`."""

    description: DisentangledDescription

    def add_to(self, graph: GraphBuilder, builders: LayerBuilders) -> EncoderOutput:
        """Adds the encoder with its inputs."""
        encoder = _DisentangledGraph(graph, self.description, builders)
        return EncoderOutput(encoder.states(), encoder.to_packed)

    def add_traced_to(self, graph: GraphBuilder, builders: LayerBuilders) -> str:
        """Adds the encoder for one source, with its attention as outputs; returns its states."""
        ids = graph.input(TensorSpec(name="source_ids", dtype="int64", shape=("source",)))
        layers = _TracedDisentangled(graph, self.description, builders, ids)
        table = self.description.source_embedding
        return layers.encode(layers.embed("encoder", table, ids, layers.positions(ids)), lambda _: "")


class _PositionTerms:
    """Adds the terms of positions.

    Args:
        length: name of int64 [1], the longest source.
        leading: names of int64 [1], the axes before the last two of queries and keys.
    """

    def __init__(
        self, graph: GraphBuilder, description: DisentangledDescription, length: str, leading: tuple[str, ...]
    ) -> None:
        self._graph, self._description, self._rank = graph, description, len(leading) + 2
        one, none = graph.constant(np.array([1])), graph.constant(np.array([0]))
        all_positions = graph.constant(np.arange(description.config.max_positions), "places")
        places = graph.node("Slice", all_positions, none, length)
        self._last = graph.node("Sub", length, one)
        # Of query i and key j: i - j + length - 1, the place of their distance among all.
        distances = graph.node("Add", graph.node("Sub", graph.node("Unsqueeze", places, one), places), self._last)
        shape = graph.node("Concat", *leading, length, length, axis=0)
        self._of_pairs = graph.node("Expand", distances, shape)
        self._rows = self._rows_of_distances(places)

    def bias(self, attention: str, query: str, key: str) -> str:
        """The sum of both terms.

        Args:
            query, key: [..., heads, source, head width], not scaled.

        Returns:
            [..., heads, source, source], scaled.
        """
        terms = []
        for kind, content in (("key", query), ("query", key)):
            table = self._description.position_vectors(attention, kind)
            if table is not None:
                terms.append(self._term(table, f"{attention}.position_{kind}", content, is_of_keys=kind == "query"))
        return terms[0] if len(terms) == 1 else self._graph.node("Add", *terms)

    def _term(self, table: np.ndarray, name: str, content: str, *, is_of_keys: bool) -> str:
        """Args: table: float32 [heads, head width, distances]."""
        graph = self._graph
        vectors = graph.node("Gather", graph.constant(table, name), self._rows, axis=2)
        products = graph.node("MatMul", content, vectors)  # [..., source, all distances]
        swapped = [*range(self._rank - 2), self._rank - 1, self._rank - 2]
        of_pairs = graph.node("Transpose", self._of_pairs, perm=swapped) if is_of_keys else self._of_pairs
        found = graph.node("GatherElements", products, of_pairs, axis=-1)
        return graph.node("Transpose", found, perm=swapped) if is_of_keys else found

    def _rows_of_distances(self, places: str) -> str:
        """int64 [2 n - 1]: the row of each distance from -(n - 1) to n - 1 in the tables."""
        graph, none = self._graph, self._graph.constant(np.array([0]))
        table = graph.constant(self._description.rows_of_distances, "rows_of_distances")
        middle = self._graph.constant(np.array([self._description.config.max_positions - 1]))
        first = graph.node("Sub", middle, self._last)
        end = graph.node("Add", graph.node("Add", middle, self._last), graph.constant(np.array([1])))
        return graph.node("Slice", table, first, end, none)


class _DisentangledGraph(EncodeGraph):
    """The graph of a batch of sources; attention is padded."""

    description: DisentangledDescription

    def __init__(self, graph: GraphBuilder, description: DisentangledDescription, builders: LayerBuilders) -> None:
        super().__init__(graph, description, builders)
        requests, length = (graph.node("Shape", self.to_packed, start=axis, end=axis + 1) for axis in (0, 1))
        heads = graph.constant(np.array([description.config.num_heads]))
        self._terms = _PositionTerms(graph, description, length, (requests, heads))

    def score_scale(self, head_width: int) -> float:
        """Factor on the scores of an attention."""
        return self.description.score_scale

    def attention(self, name: str, x: str) -> str:
        """Self-attention; x: [tokens, width]."""
        graph, sizes = self.graph, self.config
        projected = self.linear(x, self.projections(name, "query", "key", "value"))
        padded = graph.node("Gather", projected, self.to_packed)  # [requests, source, 3 x width]
        query, key, value = graph.nodes("Split", [padded], 3, axis=-1, num_outputs=3)
        bias = self._terms.bias(name, self._heads(query), self._heads(key))
        context = graph.node(
            "com.microsoft.MultiHeadAttention",
            *(query, key, value, "", self.lengths, bias),
            num_heads=sizes.num_heads,
            scale=self.description.score_scale,
        )
        flat = graph.node("Reshape", context, graph.constant(np.array([-1, sizes.attention_width])))
        return self.output(graph.node("Gather", flat, self.to_padded), name)

    def _heads(self, x: str) -> str:
        """[requests, source, width] -> [requests, heads, source, head width]."""
        shape = self.graph.constant(np.array([0, 0, self.config.num_heads, self.config.width_of_head]))
        return self.graph.node("Transpose", self.graph.node("Reshape", x, shape), perm=[0, 2, 1, 3])


class _TracedDisentangled(TracedLayers):
    """The layers of one source, with their attention as outputs."""

    description: DisentangledDescription

    def __init__(
        self, graph: GraphBuilder, description: DisentangledDescription, builders: LayerBuilders, ids: str
    ) -> None:
        super().__init__(graph, description, builders, "encoder")
        heads = graph.constant(np.array([description.config.num_heads]))
        self._terms = _PositionTerms(graph, description, graph.node("Shape", ids), (heads,))

    def score_scale(self, head_width: int) -> float:
        """Factor on the scores of an attention."""
        return self.description.score_scale

    def self_attention(self, name: str, x: str, *, bias: str) -> str:
        """Adds self-attention; bias: "", the terms of positions are added here."""
        projected = self.linear(x, self.projections(name, "query", "key", "value"))
        query, key, value = self.graph.nodes("Split", [projected], 3, axis=-1, num_outputs=3)
        terms = self._terms.bias(name, self._heads(query), self._heads(key))
        scaled = self.graph.node("Mul", query, self.graph.constant(np.float32(self.description.score_scale)))
        return self._attend(name, scaled, key, value, terms)
