"""The graphs of DETR (Carion et al. 2020) and of Conditional DETR (Meng et al. 2021).

    q = W_q (x + p_x),  k = W_k (y + p_y),  v = W_v y:   positions are added in every attention, but not to the values

Queries of all requests start alike, so that the decoder's first values have no axis of requests and are broadcast.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from regard_export.architectures.residual_network import ResidualNetwork
from regard_export.architectures.traced_layers import squared_norms
from regard_export.architectures.transformer_stack import activate
from regard_export.architectures.vision_transformer import pixels_input, squeeze_requests
from regard_export.descriptions.detection_transformer import Conditions, DetectionTransformerDescription
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.float_layers import float_linear
from regard_export.precision.layer_builders import LayerBuilders, PrecisionBuilders
from regard_service.bundle import BOX_LOGITS, BOXES, TensorSpec


@dataclass(frozen=True)
class DetectionTransformerArchitecture:
    """A detector with object queries, see `EncodingArchitecture`."""

    description: DetectionTransformerDescription

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        """Logits and boxes of the queries."""
        queries = len(self.description.queries)
        shape = ("requests", queries, self.description.num_logits)
        return (
            TensorSpec(name=BOX_LOGITS, dtype="float32", shape=shape),
            TensorSpec(name=BOXES, dtype="float32", shape=("requests", queries, 4)),
        )

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        description = self.description
        return sum(weight.nbytes for weight in description.weights.values()) + description.queries.nbytes

    @property
    def encoder_layers(self) -> int:
        """All layers."""
        return self.description.encoder_layers

    @property
    def encoder_heads(self) -> int:
        """Heads of each of them."""
        return self.description.encoder_heads

    @property
    def query_layers(self) -> int:
        """All layers of the decoder."""
        return self.description.decoder_layers

    @property
    def query_heads(self) -> int:
        """Heads of each of them."""
        return self.description.decoder_heads

    def encode(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds encode.onnx."""
        graph = GraphBuilder("encode")
        stack = _stack(graph, self.description, builders, is_traced=False)
        for value, spec in zip(stack.heads(stack.decoded("requests")), self.memory, strict=True):
            graph.node("Identity", value, output=spec.name)
            graph.output(spec)
        return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))

    def trace(self, builders: PrecisionBuilders) -> BuiltGraph:
        """Builds trace.onnx: the attention of the encoder, and of the queries to it."""
        graph = GraphBuilder("trace")
        _stack(graph, self.description, builders.encode, is_traced=True).decoded(1)
        return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))


def _stack(
    graph: GraphBuilder, description: DetectionTransformerDescription, builders: LayerBuilders, *, is_traced: bool
) -> "_Stack":
    if description.conditions is None:
        return _Stack(graph, description, builders, is_traced=is_traced)
    return _ConditionalStack(graph, description, builders, description.conditions, is_traced=is_traced)


class _Stack:
    """Adds the layers; states are [requests, positions or queries, width].

    Args:
        is_traced: whether the weights of the encoder's attention and of the queries' are outputs, for one picture.
    """

    def __init__(
        self,
        graph: GraphBuilder,
        description: DetectionTransformerDescription,
        builders: LayerBuilders,
        *,
        is_traced: bool,
    ) -> None:
        self.graph, self.description, self.builders = graph, description, builders
        self._is_traced = is_traced
        self.positions = graph.constant(description.positions[None], "positions")
        self.queries = graph.constant(description.queries[None], "queries")

    def decoded(self, requests: int | str) -> str:
        """All layers, with the graph's input: the queries' last states."""
        memory = self._encoded(requests)
        x = self.graph.constant(np.zeros_like(self.description.queries)[None], "start")
        for layer in range(self.description.decoder_layers):
            place, attend = f"decoder.{layer}", partial(self.attend_to_picture, memory=memory, before=x)
            x = self._sublayer(f"{place}.self_attention", x, self.attend_to_queries)
            x = self._sublayer(f"{place}.cross_attention", x, attend)
            x = self._sublayer(f"{place}.feed_forward", x, self._feed_forward)
        return self._norm("decoder_norm", x)

    def heads(self, states: str) -> tuple[str, str]:
        """Logits of labels, and boxes; float32 in every precision."""
        logits = float_linear(self.graph, states, self.description.linear("labels"))
        x = states
        for layer in range(3):
            x = float_linear(self.graph, x, self.description.linear(f"boxes.{layer}"))
            x = self.graph.node("Relu", x) if layer < 2 else x
        return logits, self.graph.node("Sigmoid", self.placed(x))

    def placed(self, boxes: str) -> str:
        """Boxes before the logistic function."""
        return boxes

    def attend_to_queries(self, name: str, x: str) -> str:
        """Self-attention of the queries."""
        placed = self.graph.node("Add", x, self.queries)
        return self.attend(name, self._linear(f"{name}.query", placed), self._linear(f"{name}.key", placed), x)

    def attend_to_picture(self, name: str, x: str, *, memory: str, before: str) -> str:
        """Attention of the queries to the picture. Args: before: the layer's input."""
        query = self._linear(f"{name}.query", self.graph.node("Add", x, self.queries))
        key = self._linear(f"{name}.key", self.graph.node("Add", memory, self.positions))
        return self.attend(name, query, key, memory)

    def attend(self, name: str, query: str, key: str, values: str) -> str:
        """softmax(q K^T / sqrt(d)) V, and the output projection.

        Args:
            query, key: projected, [requests, length, heads x head width].
            values: before their projection.
        """
        graph, heads = self.graph, self._heads(name)
        value = self.split(self._linear(f"{name}.value", values), heads)
        query, key = self.split(query, heads), self.split(key, heads)
        scores = graph.node("MatMul", query, graph.node("Transpose", key, perm=[0, 1, 3, 2]))
        scale = np.float32(self.head_width(name) ** -0.5)
        weights = graph.node("Softmax", graph.node("Mul", scores, graph.constant(scale)), axis=-1)
        if self._is_traced:
            self._output_attention(name, weights, value)
        context = graph.node("Transpose", graph.node("MatMul", weights, value), perm=[0, 2, 1, 3])
        merged = graph.node("Reshape", context, graph.constant(np.array([0, 0, self.description.width])))
        return self._linear(f"{name}.output", merged)

    def head_width(self, name: str) -> int:
        """Numbers that each head of an attention compares."""
        return self.description.width // self._heads(name)

    def split(self, x: str, heads: int) -> str:
        """[requests, length, heads x head width] -> [requests, heads, length, head width]."""
        by_head = self.graph.node("Reshape", x, self.graph.constant(np.array([0, 0, heads, -1])))
        return self.graph.node("Transpose", by_head, perm=[0, 2, 1, 3])

    def _encoded(self, requests: int | str) -> str:
        """The backbone and the encoder, with the graph's input."""
        graph, description = self.graph, self.description
        pixels = pixels_input(graph, description.image_height, description.image_width, requests=requests)
        features = ResidualNetwork(graph, description.weights).features(pixels, description.stem, description.layers)
        weight, bias = (graph.constant(description.weights[f"projection.{kind}"]) for kind in ("weight", "bias"))
        flat = graph.node(
            "Reshape",
            graph.node("Conv", features, weight, bias),
            graph.constant(np.array([0, 0, description.num_positions])),
        )
        x = graph.node("Transpose", flat, perm=[0, 2, 1])
        for layer in range(description.encoder_layers):
            x = self._sublayer(f"encoder.{layer}.self_attention", x, self._attend_within_picture)
            x = self._sublayer(f"encoder.{layer}.feed_forward", x, self._feed_forward)
        return self._norm("encoder_norm", x) if description.has_encoder_norm else x

    def _attend_within_picture(self, name: str, x: str) -> str:
        placed = self.graph.node("Add", x, self.positions)
        return self.attend(name, self._linear(f"{name}.query", placed), self._linear(f"{name}.key", placed), x)

    def _feed_forward(self, name: str, x: str) -> str:
        inner = activate(self.graph, self._linear(f"{name}.inner", x), self.description.activation)
        return self._linear(f"{name}.outer", inner)

    def _sublayer(self, name: str, x: str, add: Callable[[str, str], str]) -> str:
        """x + f(norm(x)), or norm(x + f(x))."""
        if self.description.norm == "pre":
            return self.graph.node("Add", x, add(name, self._norm(f"{name}.norm", x)))
        return self._norm(f"{name}.norm", self.graph.node("Add", x, add(name, x)))

    def _norm(self, name: str, x: str) -> str:
        norm, graph = self.description.norm_of(name), self.graph
        gain = graph.constant(norm.gain, name)
        bias = [] if norm.bias is None else [graph.constant(norm.bias, f"{name}.bias")]
        return graph.node("LayerNormalization", x, gain, *bias, axis=-1, epsilon=norm.epsilon)

    def _linear(self, name: str, x: str) -> str:
        return self.builders.linear(self.graph, x, self.description.linear(name))

    def _heads(self, name: str) -> int:
        description = self.description
        return description.encoder_heads if name.startswith("encoder.") else description.decoder_heads

    def _output_attention(self, name: str, weights: str, value: str) -> None:
        """Outputs weights and norms of values; of the queries' self-attention nothing."""
        side, layer, kind = name.split(".")
        if side == "decoder" and kind == "self_attention":
            return
        title, rows = (
            ("encoder", self.description.num_positions)
            if side == "encoder"
            else (
                "cross",
                len(self.description.queries),
            )
        )
        heads, graph = self._heads(name), self.graph
        squares = squared_norms(graph, self.description.linear(f"{name}.output"), value, heads)
        for op, x, own, shape in (
            ("Identity", weights, f"{title}_attention_{layer}", (heads, rows, self.description.num_positions)),
            ("Sqrt", squares, f"{title}_value_norm_{layer}", (heads, self.description.num_positions)),
        ):
            graph.node(op, squeeze_requests(graph, x), output=own)
            graph.output(TensorSpec(name=own, dtype="float32", shape=shape))


class _ConditionalStack(_Stack):
    """Conditional DETR's decoder."""

    def __init__(
        self,
        graph: GraphBuilder,
        description: DetectionTransformerDescription,
        builders: LayerBuilders,
        conditions: Conditions,
        *,
        is_traced: bool,
    ) -> None:
        super().__init__(graph, description, builders, is_traced=is_traced)
        self._sine = graph.constant(conditions.sine[None], "sine")
        self._points = conditions.points

    def placed(self, boxes: str) -> str:
        """Boxes are beside the queries' points."""
        beside = np.pad(self._points, ((0, 0), (0, 2)))[None]
        return self.graph.node("Add", boxes, self.graph.constant(beside, "points"))

    def attend_to_queries(self, name: str, x: str) -> str:
        """Content and position are projected apart."""
        query, key = (
            self.graph.node(
                "Add", self._linear(f"{name}.{kind}", x), self._linear(f"{name}.{kind}_position", self.queries)
            )
            for kind in ("query", "key")
        )
        return self.attend(name, query, key, x)

    def attend_to_picture(self, name: str, x: str, *, memory: str, before: str) -> str:
        """Heads compare content and position side by side; in the first layer, content has the position added too."""
        graph, is_first = self.graph, name.startswith("decoder.0.")
        query, key = self._linear(f"{name}.query", x), self._linear(f"{name}.key", memory)
        place = self._linear(f"{name}.key_position", self.positions)
        sine = self._sine
        if is_first:
            query = graph.node("Add", query, self._linear(f"{name}.query_position", self.queries))
            key = graph.node("Add", key, place)
        else:
            scale = graph.node("Relu", self._linear("query_scale.0", before))
            sine = graph.node("Mul", sine, self._linear("query_scale.1", scale))
        sine = self._linear(f"{name}.query_sine", sine)
        return self.attend(name, self._beside(query, sine), self._beside(key, place), memory)

    def head_width(self, name: str) -> int:
        """Twice as many in cross-attention."""
        return super().head_width(name) * (2 if name.endswith("cross_attention") else 1)

    def _beside(self, content: str, position: str) -> str:
        """Joins both within each head: [requests, length, heads x 2 x head width]. Positions may have no requests."""
        graph = self.graph
        shape = graph.constant(np.array([0, 0, self.description.decoder_heads, -1]))
        expanded = graph.node("Expand", position, graph.node("Shape", content))
        joined = graph.node("Concat", *(graph.node("Reshape", x, shape) for x in (content, expanded)), axis=-1)
        return graph.node("Reshape", joined, graph.constant(np.array([0, 0, -1])))
