"""The parts of a transformer's graphs: embeddings, linear layers, residual connections with their normalizations.

Graphs have few, cheap nodes, since in small models the call of a node costs as much as its arithmetic: scales are
folded into weights, query, key and value are one product, and of equivalent operators the fastest measured is used.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from regard.arrays import Float32Array
from regard_export.architectures.transformer_tensors import memory_specs
from regard_export.descriptions.layers import Linear, Norm
from regard_export.descriptions.transformer_weights import TransformerWeights
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.layer_builders import LayerBuilders
from regard_models.nets.transformer_config import Activation, Side

Sublayer = Callable[[str], str]
"""Adds a sublayer: from the name of its input to the name of its update."""


@dataclass(frozen=True)
class ResidualStream:
    """The residual stream between two sublayers.

    Attributes:
        x: the next sublayer's input.
        skip: the value that its update is added to; x itself unless normalization comes first.
    """

    x: str
    skip: str


class TransformerStack:
    """Adds layers of one side of a transformer to a graph.

    Args:
        graph: receives the nodes.
        description: the model.
        form: add linear layers and embeddings in the graph's precision.
    """

    def __init__(self, graph: GraphBuilder, description: TransformerWeights, builders: LayerBuilders) -> None:
        self.graph = graph
        self.description = description
        self.config = description.config
        self.builders = builders

    @property
    def embedding_scale(self) -> float:
        """Factor that the stored embedding table already contains, so that no node has to multiply."""
        return math.sqrt(self.config.width) if self.config.scale_embeddings else 1.0

    @cached_property
    def table(self) -> Float32Array:
        """The decoder's embedding table, scaled: float32 [vocabulary, width]."""
        return self.description.embedding * np.float32(self.embedding_scale)

    def embed(self, side: Side, table: Float32Array, ids: str, positions: str) -> str:
        """Embeddings with their positions.

        Args:
            table: float32 [vocabulary, ..., width].
            ids, positions: int [n].

        Returns:
            [n, ..., width], with the table's rank.
        """
        graph, position_table = self.graph, self.description.positions(side)
        x = self.builders.embed(graph, table, ids)
        if position_table is not None:
            rows = position_table.reshape(len(position_table), *table.shape[1:])
            x = graph.node("Add", x, graph.node("Gather", graph.constant(rows, "positions"), positions))
        if self.config.embedding_norm:
            x = self.normalize(x, self.description.norm(f"{side}_embedding_norm"))
        return x

    def run(self, embedded: str, sublayers: Sequence[Sublayer], norms: Sequence[Norm]) -> str:
        """Adds the sublayers in order, each with its residual connection and normalization.

        Args:
            norms: one per sublayer; with `final_norm`, one more.

        Returns:
            the last normalization's output, or the last sum if nothing normalizes it.
        """
        junctions: list[Norm | None] = [*norms]
        final = junctions.pop() if self.config.final_norm else None
        junctions = [*junctions, final] if self.config.norm == "pre" else [None, *junctions]
        stream = self._stream(embedded, junctions[0])
        for sublayer, norm in zip(sublayers, junctions[1:], strict=True):
            stream = self._stream(self.add_update(sublayer, stream, norm), norm)
        if final is not None and self.config.norm == "post":
            return self.normalize(stream.x, final)
        return stream.x

    def add_update(self, sublayer: Sublayer, stream: ResidualStream, norm: Norm | None) -> str:
        """Adds a sublayer and the sum of its update and the residual. Args: norm: normalizes the sum; None: nothing."""
        return self.graph.node("Add", sublayer(stream.x), stream.skip)

    def _stream(self, total: str, norm: Norm | None) -> ResidualStream:
        """Normalizes a sum, unless `norm` is None.

        With "pre", the sum itself remains the skip connection; with "post", the normalized sum replaces it.
        """
        if norm is None:
            return ResidualStream(total, total)
        normalized = self.normalize(total, norm)
        return ResidualStream(normalized, total if self.config.norm == "pre" else normalized)

    def normalize(self, x: str, norm: Norm) -> str:
        """Normalizes over the last axis. An Add before it is 4 times as fast as SkipLayerNormalization."""
        gain = self.graph.constant(norm.gain, norm.name)
        if self.config.norm_kind == "rms":  # ONNX Runtime's own; ONNX has RMSNormalization since opset 23
            return self.graph.node("SimplifiedLayerNormalization", x, gain, axis=-1, epsilon=norm.epsilon)
        bias = [] if norm.bias is None else [self.graph.constant(norm.bias, f"{norm.name}.bias")]
        return self.graph.node("LayerNormalization", x, gain, *bias, axis=-1, epsilon=norm.epsilon)

    def encoder_layers(self, attention: Callable[[str, str], str]) -> tuple[list[Sublayer], list[Norm]]:
        """The encoder's sublayers and their normalizations, the arguments of `run`.

        Args:
            attention: adds self-attention: (its name, the name of its input) -> the name of its update.
        """
        sublayers: list[Sublayer] = []
        norms = []
        for layer in range(self.config.encoder_layers):
            name = f"encoder.{layer}"
            sublayers += [
                partial(attention, f"{name}.self_attention"),
                partial(self.feed_forward, f"{name}.feed_forward"),
            ]
            norms += [self.norm(f"{name}.self_attention"), self.norm(f"{name}.feed_forward")]
        return sublayers, norms + self.final_norms("encoder")

    def norm(self, sublayer: str) -> Norm:
        """The normalization of a sublayer."""
        return self.description.norm(f"{sublayer}_sublayer.norm")

    def final_norms(self, side: str) -> list[Norm]:
        """The normalization after the last layer, if there is one."""
        return [self.description.norm(f"{side}_norm")] if self.config.final_norm else []

    def head(self, norms: list[Norm]) -> tuple[Linear, list[Norm]]:
        """The projection to the vocabulary, and the normalizations adapted to it.

        A tied projection multiplies with the embedding's scaled table; the last normalization divides by the scale.
        """
        if self._is_last_normalized:
            norms = [*norms[:-1], norms[-1].scaled(self._state_scale)]
        return self.projection, norms

    @property
    def projection(self) -> Linear:
        """The projection to the vocabulary; if it is tied, the embedding's scaled table."""
        head = self.description.head
        return Linear(head.name, self.table, head.bias) if self.config.tie_embeddings else head

    @property
    def _state_scale(self) -> float:
        """Factor on the states before the head."""
        return self.config.head_scale / (self.embedding_scale if self.config.tie_embeddings else 1.0)

    @property
    def _is_last_normalized(self) -> bool:
        """Whether the head reads the output of a normalization, which can then contain `_state_scale`."""
        return (self.config.final_norm or self.config.norm == "post") and not self.config.head_transform

    def before_head(self, x: str) -> str:
        """Adds what lies between the decoder's states and the head; x: [n, width]."""
        if self.config.head_transform:
            x = self.activate(self.linear(x, self.description.linear("head_transform.dense")))
            return self.normalize(x, self.description.norm("head_transform.norm").scaled(self._state_scale))
        if not self._is_last_normalized and self._state_scale != 1:
            return self.graph.node("Mul", x, self.graph.constant(np.float32(self._state_scale)))
        return x

    def projections(self, attention: str, *kinds: str) -> Linear:
        """Some of an attention's projections ("query", "key", "value") as one product."""
        parts = [self.description.linear(f"{attention}.{kind}") for kind in kinds]
        return Linear.joined(f"{attention}.{'_'.join(kinds)}", parts)

    def linear(self, x: str, layer: Linear) -> str:
        """Adds a linear layer."""
        return self.builders.linear(self.graph, x, layer)

    def output(self, x: str, attention: str) -> str:
        """Adds the output projection of an attention."""
        return self.linear(x, self.description.linear(f"{attention}.output"))

    def attend_unpadded(self, name: str, x: str, score_bias: str = "", lengths: str = "") -> str:
        """Adds self-attention of sources that all have the same length, or are padded.

        Args:
            x: [requests, source, width].
            score_bias: [1, heads, source, source]; "" for none.
            lengths: int32 [requests], of padded sources; "" for sources of the same length.
        """
        projected = self.linear(x, self.projections(name, "query", "key", "value"))
        query, key, value = self.graph.nodes("Split", [projected], 3, axis=-1, num_outputs=3)
        sizes = self.config.of_encoder
        context = self.graph.node(
            "com.microsoft.MultiHeadAttention",
            *present_inputs(query, key, value, "", lengths, score_bias),
            num_heads=sizes.num_heads,
            scale=self.score_scale(sizes.width_of_head),
        )
        return self.output(context, name)

    def project_memory(self, states: str) -> str:
        """Adds the keys and values of all layers' cross-attention, in one product of the states, [..., width]."""
        layers = range(self.config.decoder_layers)
        parts = [self.projections(f"decoder.{layer}.cross_attention", "key", "value") for layer in layers]
        return self.linear(states, Linear.joined("decoder.cross_attention", parts))

    def output_memory(self, projected: str) -> None:
        """Outputs the memory; projected: the output of `project_memory`, [requests, source, 2 x layers x width]."""
        graph, config, specs = self.graph, self.config, memory_specs(self.config)
        shape = graph.constant(np.array([0, 0, len(specs) * config.num_heads, config.width_of_head]))
        heads = graph.node("Reshape", projected, shape)
        for spec, part in zip(
            specs, graph.nodes("Split", [heads], len(specs), axis=2, num_outputs=len(specs)), strict=True
        ):
            is_key = spec.name.startswith("cross_key")
            graph.node("Transpose", part, output=spec.name, perm=[0, 2, 3, 1] if is_key else [0, 2, 1, 3])
            graph.output(spec)

    def score_scale(self, head_width: int) -> float:
        """Factor on the scores of an attention."""
        return head_width**-0.5 if self.config.scale_attention else 1.0

    def distance_bias(self, side: Side, distances: str, distance_range: tuple[int, int]) -> str:
        """Looks up the bias of relative positions; distances: int [...] -> [heads, ...].

        Args:
            distance_range: the first and the last distance in the table; distances beyond are clipped.
        """
        graph = self.graph
        table = graph.constant(self.description.distance_bias(side), f"{side}_distances")
        first, last = (graph.constant(np.array(distance, np.int32)) for distance in distance_range)
        index = graph.node("Sub", graph.node("Clip", distances, first, last), first)
        return graph.node("Gather", table, index, axis=1)

    def feed_forward(self, name: str, x: str) -> str:
        """FFN(x) = activation(x W_1 + b_1) W_2 + b_2 (Vaswani et al. 2017, section 3.3), or gated (Shazeer 2020)."""
        inner, outer = (self.description.linear(f"{name}.{part}") for part in ("inner", "outer"))
        if not self.config.gated:
            return self.linear(self.activate(self.linear(x, inner)), outer)
        gate = self.description.linear(f"{name}.gate")
        both = self.linear(x, Linear.joined(f"{name}.gate_inner", [gate, inner]))
        gates, values = self.graph.nodes("Split", [both], 2, axis=-1, num_outputs=2)
        return self.linear(self.graph.node("Mul", self.activate(gates), values), outer)

    def activate(self, x: str) -> str:
        """Adds the activation of the feed-forward layers."""
        return activate(self.graph, x, self.config.activation)


def present_inputs(*inputs: str) -> list[str]:
    """The inputs of a node without the optional ones at its end that are not there."""
    number = max(index for index, name in enumerate(inputs) if name)
    return list(inputs[: number + 1])


def activate(graph: GraphBuilder, x: str, activation: Activation) -> str:
    """Adds an activation."""
    match activation:
        case "relu":
            return graph.node("Relu", x)
        case "gelu":
            return graph.node("Gelu", x)
        case "gelu_tanh":
            return graph.node("Gelu", x, approximate="tanh")
        case "silu":
            return graph.node("com.microsoft.QuickGelu", x, alpha=1.0)
