"""A transformer's layers over whole sequences, with the weights of every attention as outputs, for trace.onnx.

The products are the same as in encode and step, so that the weights file holds their weights once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from regard.arrays import Float32Array
from regard_export.architectures.contributions import ContributionNodes
from regard_export.architectures.transformer_stack import ResidualStream, Sublayer, TransformerStack
from regard_export.descriptions.layers import Linear, Norm
from regard_export.descriptions.transformer_weights import TransformerWeights
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import MASKED_SCORE
from regard_export.precision.layer_builders import LayerBuilders
from regard_models.nets.transformer_config import Side, TransformerConfig
from regard_service.bundle import TensorSpec

LABELS = TensorSpec(name="label_ids", dtype="int64", shape=("target",))
WANTS_LOGPROBS = TensorSpec(name="wants_logprobs", dtype="bool", shape=())
WANTS_CONTRIBUTIONS = TensorSpec(name="wants_contributions", dtype="bool", shape=())


@dataclass(frozen=True)
class _Mixing:
    """An attention that was added.

    Attributes:
        attention: its name.
        title: of its outputs, such as "cross"; `layer` is its number.
        weights: [heads, queries, keys].
        value: [heads, keys, head width].
    """

    attention: str
    title: str
    layer: str
    weights: str
    value: str


class TracedLayers(TransformerStack):
    """One side's layers; values are [length, width]."""

    def __init__(
        self, graph: GraphBuilder, description: TransformerWeights, builders: LayerBuilders, side: Side
    ) -> None:
        super().__init__(graph, description, builders)
        self.side = side
        self._mixing: _Mixing | None = None  # of the sublayer that is being added, if it is an attention
        self.sizes: TransformerConfig = self.config.of_encoder if side == "encoder" else self.config

    def positions(self, ids: str) -> str:
        """0, 1, ..., a position per id: int32 [length]."""
        graph = self.graph
        all_positions = graph.constant(np.arange(self.config.max_positions, dtype=np.int32), "all_positions")
        return graph.node("Slice", all_positions, graph.constant(np.array([0])), graph.node("Shape", ids))

    def encode(self, embedded: str, score_bias: Callable[[str], str]) -> str:
        """Adds the encoder; returns its states, [source, width].

        Args:
            score_bias: of an attention, by its name: [heads, source, source]; "" for none.
        """

        def attend(name: str, x: str) -> str:
            return self.self_attention(name, x, bias=score_bias(name))

        return self.run(embedded, *self.encoder_layers(attend))

    def memory(self, states: str) -> list[tuple[str, str]]:
        """Keys and values of each decoder layer's cross-attention, [source, heads x head width] each."""
        num_parts = 2 * self.config.decoder_layers
        parts = self.graph.nodes("Split", [self.project_memory(states)], num_parts, axis=-1, num_outputs=num_parts)
        return list(zip(parts[::2], parts[1::2], strict=True))

    def decode(self, embedded: str, ids: str, memory: Sequence[tuple[str, str]]) -> str:
        """Adds the decoder; returns its states before the head, [target, width]."""
        bias = self._causal_bias(ids)
        sublayers, norms = [], []
        for layer, key_value in enumerate(memory):
            name = f"decoder.{layer}"
            sublayers += [
                partial(self.self_attention, f"{name}.self_attention", bias=bias),
                partial(self._cross_attention, f"{name}.cross_attention", key_value),
            ]
            sublayers.append(partial(self.feed_forward, f"{name}.feed_forward"))
            norms += [self.norm(f"{name}.{kind}") for kind in ("self_attention", "cross_attention", "feed_forward")]
        _, norms = self.head(norms + self.final_norms("decoder"))
        return self.before_head(self.run(embedded, sublayers, norms))

    def output_logprobs(self, states: str) -> None:
        """Outputs the log-probability of each label: float32 [target]; states: [target, width]."""
        graph, wanted = self.graph, self.graph.input(WANTS_LOGPROBS)
        labels = graph.input(LABELS)
        spec = TensorSpec(name="target_logprobs", dtype="float32", shape=("target",))

        def logprobs() -> list[str]:
            found = graph.node("LogSoftmax", self.builders.head(graph, states, self.projection), axis=-1)
            last = graph.constant(np.array([-1]))
            found = graph.node("GatherElements", found, graph.node("Unsqueeze", labels, last), axis=-1)
            return [graph.node("Squeeze", found, last)]

        graph.output_if(wanted, logprobs, [spec])

    def add_update(self, sublayer: Sublayer, stream: ResidualStream, norm: Norm | None) -> str:
        """Adds a sublayer as the stack does; for an attention, the contributions to its sum are outputs."""
        self._mixing = None
        total = super().add_update(sublayer, stream, norm)
        if self._mixing is not None:
            self._contributions(self._mixing, stream, total, norm if self.config.norm == "post" else None)
        return total

    def _contributions(self, mixing: _Mixing, stream: ResidualStream, total: str, norm: Norm | None) -> None:
        nodes = ContributionNodes(self.graph, norm, is_centered=self.config.norm_kind != "rms")
        axes = _query_axis(self.side), "target" if mixing.title == "decoder" else "source"
        shapes = (self.sizes.num_heads, *axes), axes, axes[:1]

        def contributions() -> list[str]:
            vectors = self._transformed(mixing.attention, mixing.value)
            by_head, together = nodes.of_positions(mixing.weights, vectors, total)
            return [by_head, together, nodes.of_residual(stream.skip, total)]

        kinds = zip(("head_contribution", "contribution", "residual"), shapes, strict=True)
        specs = [
            TensorSpec(name=f"{mixing.title}_{kind}_{mixing.layer}", dtype="float32", shape=shape)
            for kind, shape in kinds
        ]
        self.graph.output_if(wants_contributions(self.graph), contributions, specs)

    def self_attention(self, name: str, x: str, *, bias: str) -> str:
        """Adds self-attention; bias: of its scores, "" for none."""
        projected = self.linear(x, self.projections(name, "query", "key", "value"))
        query, key, value = self.graph.nodes("Split", [projected], 3, axis=-1, num_outputs=3)
        scale = np.float32(self.score_scale(self.sizes.width_of_head))
        scaled = self.graph.node("Mul", query, self.graph.constant(scale))
        return self._attend(name, scaled, key, value, bias)

    def _cross_attention(self, name: str, memory: tuple[str, str], x: str) -> str:
        scale = self.score_scale(self.config.width_of_head)
        query = self.linear(x, self.projections(name, "query").scaled(scale))
        return self._attend(name, query, *memory, "")

    def _attend(self, name: str, query: str, key: str, value: str, bias: str) -> str:
        """softmax(q K^T + bias) V; outputs the weights and the norms of the transformed values."""
        graph = self.graph
        query, key, value = (self._heads(part) for part in (query, key, value))
        scores = graph.node("MatMul", query, graph.node("Transpose", key, perm=[0, 2, 1]))
        if bias:
            scores = graph.node("Add", scores, bias)
        side, layer, kind = name.split(".")
        attends_to_source = side == "encoder" or kind == "cross_attention"
        title = "cross" if kind == "cross_attention" else side
        keys = "source" if attends_to_source else "target"
        weights = self._output(f"{title}_attention_{layer}", (_query_axis(side), keys), "Softmax", scores, axis=-1)
        self._value_norms(name, f"{title}_value_norm_{layer}", value, keys)
        self._mixing = _Mixing(name, title, layer, weights, value)
        context = graph.node("Transpose", graph.node("MatMul", weights, value), perm=[1, 0, 2])
        merged = graph.node("Reshape", context, graph.constant(np.array([-1, self.sizes.attention_width])))
        return self.output(merged, name)

    def _heads(self, x: str) -> str:
        """[length, heads x head width] -> [heads, length, head width]."""
        shape = self.graph.constant(np.array([-1, self.sizes.num_heads, self.sizes.width_of_head]))
        return self.graph.node("Transpose", self.graph.node("Reshape", x, shape), perm=[1, 0, 2])

    def _transformed(self, attention: str, value: str) -> str:
        """v W_O of each head: [heads, length, head width] -> [heads, length, width].

        The output projection reads each head's values with zeros in place of the other heads', and its bias is
        subtracted: so its weights are stored once, in the graph's precision.
        """
        graph, sizes = self.graph, self.sizes
        is_own = np.eye(sizes.num_heads, dtype=np.float32)[:, None, :, None]  # [heads, 1, heads, 1]
        spread = graph.node(
            "Mul", graph.node("Unsqueeze", value, graph.constant(np.array([2]))), graph.constant(is_own)
        )
        rows = graph.node("Reshape", spread, graph.constant(np.array([-1, sizes.attention_width])))
        vectors, bias = self.output(rows, attention), self.description.linear(f"{attention}.output").bias
        if bias is not None:
            vectors = graph.node("Sub", vectors, graph.constant(bias))
        return graph.node("Reshape", vectors, graph.constant(np.array([sizes.num_heads, -1, self.config.width])))

    def _value_norms(self, attention: str, name: str, value: str, axis: str) -> None:
        """Outputs ||v W_O||, the size of each position's contribution to a head (Kobayashi et al. 2020, eq. 4)."""
        squares = squared_norms(self.graph, self.description.linear(f"{attention}.output"), value, self.sizes.num_heads)
        self._output(name, (axis,), "Sqrt", squares)

    def _output(self, name: str, axes: tuple[str, ...], op: str, *inputs: str, **attributes: int) -> str:
        """Adds a node whose output, [heads, ...], is an output of the graph."""
        self.graph.output(TensorSpec(name=name, dtype="float32", shape=(self.sizes.num_heads, *axes)))
        return self.graph.node(op, *inputs, output=name, **attributes)

    def _causal_bias(self, ids: str) -> str:
        """float32 [1 or heads, target, target]: masks later positions, and adds the bias of relative positions."""
        graph, positions = self.graph, self.positions(ids)
        rows = graph.node("Unsqueeze", positions, graph.constant(np.array([1])))
        is_visible = graph.node("LessOrEqual", positions, rows)
        masked = graph.constant(MASKED_SCORE)
        if self.config.positions != "relative":
            return graph.node("Where", is_visible, graph.constant(np.float32(0)), masked)
        distances = graph.node("Sub", rows, positions)
        bias = self.distance_bias("decoder", distances, (0, self.config.relative_max_distance))
        return graph.node("Where", is_visible, bias, masked)

    def encoder_distance_bias(self, ids: str) -> str:
        """float32 [heads, source, source]: the encoder's bias of relative positions; "" without them."""
        if self.config.positions != "relative":
            return ""
        graph, keys = self.graph, self.positions(ids)
        queries = graph.node("Unsqueeze", keys, graph.constant(np.array([1])))
        max_distance = self.config.relative_max_distance
        return self.distance_bias("encoder", graph.node("Sub", keys, queries), (-max_distance, max_distance))


def wants_contributions(graph: GraphBuilder) -> str:
    """Returns the input that switches contributions on, declared at the first call."""
    if WANTS_CONTRIBUTIONS not in graph.inputs:
        graph.input(WANTS_CONTRIBUTIONS)
    return WANTS_CONTRIBUTIONS.name


def _query_axis(side: str) -> str:
    """The name of the axis of a side's queries."""
    return "source" if side == "encoder" else "target"


def squared_norms(graph: GraphBuilder, output: Linear, value: str, num_heads: int) -> str:
    """||v W_O||^2, computed as v G v^T with G = W_O W_O^T, which is smaller than W_O.

    Args:
        output: the attention's output projection, W_O.
        value: [..., heads, length, head width].

    Returns:
        float32 [..., heads, length].
    """
    squares = graph.node("Mul", graph.node("MatMul", value, graph.constant(_gram(output, num_heads))), value)
    total = graph.node("ReduceSum", squares, graph.constant(np.array([-1])), keepdims=0)
    return graph.node("Max", total, graph.constant(np.float32(0)))  # rounding may yield a tiny negative sum


def _gram(output: Linear, num_heads: int) -> Float32Array:
    """W_O W_O^T of each head: float32 [heads, head width, head width]."""
    width_out = len(output.weight)
    by_head = output.weight.reshape(width_out, num_heads, -1).transpose(1, 2, 0)  # [heads, head width, width]
    gram: Float32Array = by_head @ by_head.transpose(0, 2, 1)
    return gram
