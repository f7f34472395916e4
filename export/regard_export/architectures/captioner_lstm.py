"""Show, Attend and Tell (Xu et al. 2015): `models/regard_models/nets/captioner_lstm.py` node by node."""

from dataclasses import dataclass

import numpy as np
import onnx

from regard_export.architectures.architecture import SingleHeadAttention
from regard_export.architectures.candidate_ranking import rank_candidates
from regard_export.architectures.convolutional_encoder import ConvolutionalEncoder, pixels_spec
from regard_export.descriptions.layers import Linear, Weights
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import LENGTHS, MASKED_SCORE, NUM_CANDIDATES, SOURCE_LENGTHS, TOKENS, BuiltGraph
from regard_export.precision.float_layers import float_linear
from regard_export.precision.layer_builders import LayerBuilders
from regard_models.nets.captioner_lstm import LstmCaptionerConfig
from regard_service.bundle import StateSpec, TensorSpec


@dataclass(frozen=True)
class LstmCaptionerArchitecture(SingleHeadAttention):
    """An `LstmCaptioner`.

    Attributes:
        weights: float32, by the net's parameter names.
    """

    config: LstmCaptionerConfig
    weights: Weights

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        """The projected features with their keys and the first state, in the order of `LstmCaptioner.memory`."""
        config = self.config
        return (
            TensorSpec(name="features", dtype="float32", shape=("requests", "source", config.memory_width)),
            TensorSpec(name="keys", dtype="float32", shape=("requests", "source", config.attention_width)),
            TensorSpec(name="first_hidden", dtype="float32", shape=("requests", config.hidden_width)),
            TensorSpec(name="first_cell", dtype="float32", shape=("requests", config.hidden_width)),
        )

    @property
    def state(self) -> tuple[StateSpec, ...]:
        """The LSTM's state."""
        shape = ("slots", self.config.hidden_width)
        return tuple(
            StateSpec(input=TensorSpec(name=name, dtype="float32", shape=shape), output=f"next_{name}", in_place=False)
            for name in ("hidden", "cell")
        )

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return sum(weight.nbytes for weight in self.weights.values())

    def encode(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds encode.onnx."""
        return _EncodeGraph(self, builders, "encode").build()

    def step(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds step.onnx."""
        return _StepGraph(self, builders, "step").build()


class _LstmGraph:
    """The shared parts of both graphs."""

    def __init__(self, architecture: LstmCaptionerArchitecture, builders: LayerBuilders, name: str) -> None:
        self.graph = GraphBuilder(name)
        self.architecture = architecture
        self.config = architecture.config
        self.builders = builders

    def layer(self, name: str) -> Linear:
        return Linear.of(self.architecture.weights, name)

    def linear(self, x: str, layer: Linear) -> str:
        return self.builders.linear(self.graph, x, layer)

    def finish(self) -> BuiltGraph:
        return BuiltGraph(self.graph.build(), tuple(self.graph.inputs), tuple(self.graph.outputs))


class _EncodeGraph(_LstmGraph):
    """Pixels in; features, keys and the first state out. Convolutions are float32 in every precision."""

    def build(self) -> BuiltGraph:
        graph, config = self.graph, self.config
        encoder = ConvolutionalEncoder(graph, self.architecture.weights)
        features = encoder.features(config.encoder, graph.input(pixels_spec(config.encoder)))
        features = encoder.blocks(config.blocks, features)
        projected = self.linear(encoder.positions(features), self.layer("bridge"))
        memory = graph.node("Relu", projected, output="features")  # [requests, positions, memory_width]
        keys = self.linear(memory, self.layer("attention.score.key"))
        graph.node("Identity", keys, output="keys")
        mean = graph.node("ReduceMean", memory, graph.constant(np.array([1])), keepdims=0)
        for name in ("first_hidden", "first_cell"):
            graph.node("Tanh", self.linear(mean, self.layer(name)), output=name)
        for spec in self.architecture.memory:
            graph.output(spec)
        return self.finish()


class _StepGraph(_LstmGraph):
    """Values are [requests, beams, width], so that a request's memory is not repeated per hypothesis."""

    def build(self) -> BuiltGraph:
        graph, config = self.graph, self.config
        tokens, self.lengths = graph.input(TOKENS), graph.input(LENGTHS)
        self.source_lengths, num_candidates = graph.input(SOURCE_LENGTHS), graph.input(NUM_CANDIDATES)
        for spec in (*self.architecture.memory, *(state.input for state in self.architecture.state)):
            graph.input(spec)
        hidden, cell = (self._state(name) for name in ("hidden", "cell"))
        table = self.architecture.weights["embedding.weight"]
        embedded = self._by_request(self.builders.embed(graph, table, tokens), config.embedding_width)
        context = self._context(hidden)
        hidden, cell = self._lstm(graph.node("Concat", embedded, context, hidden, axis=-1), cell)
        deep_output = _sum("deep", self.layer("from_hidden"), self.layer("from_context"))
        deep_input = graph.node("Concat", hidden, context, axis=-1)
        states = graph.node("Tanh", graph.node("Add", embedded, self.linear(deep_input, deep_output)))
        head = self.layer("head")
        logits = self.builders.head(graph, self._by_slot(states, config.embedding_width), head)
        is_grouped = self.builders.is_ranking_grouped
        rank_candidates(graph, logits, num_candidates, len(head.weight), is_grouped=is_grouped)
        graph.output(TensorSpec(name="cross_attention_0", dtype="float32", shape=("requests", 1, "beams", "source")))
        for state, value in zip(self.architecture.state, (hidden, cell), strict=True):
            self._by_slot(value, config.hidden_width, output=state.output)
            graph.output(TensorSpec(name=state.output, dtype="float32", shape=state.input.shape))
        return self.finish()

    def _by_request(self, x: str, width: int) -> str:
        """[slots, width] -> [requests, beams, width]."""
        requests = self.graph.node("Shape", self.source_lengths)
        shape = self.graph.node("Concat", requests, self.graph.constant(np.array([-1, width])), axis=0)
        return self.graph.node("Reshape", x, shape)

    def _by_slot(self, x: str, width: int, *, output: str | None = None) -> str:
        """[requests, beams, width] -> [slots, width]."""
        return self.graph.node("Reshape", x, self.graph.constant(np.array([-1, width])), output=output)

    def _state(self, name: str) -> str:
        """h or c before this position; at the first one, the state that encode computed."""
        graph = self.graph
        is_first = graph.node("Equal", self.lengths, graph.constant(np.int32(0)))
        is_first = self._by_request(is_first, 1)
        first = graph.node("Unsqueeze", f"first_{name}", graph.constant(np.array([1])))
        return graph.node("Where", is_first, first, self._by_request(name, self.config.hidden_width))

    def _context(self, hidden: str) -> str:
        """The gated context (Xu et al. 2015, equations 4 and 5, section 4.2.1); hidden: [requests, beams, width]."""
        graph = self.graph
        query = self.linear(hidden, self.layer("attention.score.query"))
        query = graph.node("Unsqueeze", query, graph.constant(np.array([2])))
        keys = graph.node("Unsqueeze", "keys", graph.constant(np.array([1])))
        inner = graph.node("Tanh", graph.node("Add", query, keys))  # [requests, beams, source, attention_width]
        energy = graph.constant(self.layer("attention.score.energy").weight[0], "energy")
        scores = graph.node("Add", graph.node("MatMul", inner, energy), self._source_bias())
        weights = (
            graph.node("Softmax", scores, axis=-1) if self.config.attention == "soft" else self._hard_choice(scores)
        )
        graph.node("Unsqueeze", weights, graph.constant(np.array([1])), output="cross_attention_0")
        gate = graph.node("Sigmoid", float_linear(graph, hidden, self.layer("gate")))
        return graph.node("Mul", gate, graph.node("MatMul", weights, "features"))

    def _source_bias(self) -> str:
        """float32 [requests, 1, source]: masks the positions behind a request's source."""
        graph = self.graph
        end = graph.node("Squeeze", graph.node("Shape", "keys", start=1, end=2))
        columns = graph.node("Range", graph.constant(np.array(0)), end, graph.constant(np.array(1)))
        lengths = graph.node("Cast", self.source_lengths, to=onnx.TensorProto.INT64)
        lengths = graph.node("Reshape", lengths, graph.constant(np.array([-1, 1, 1])))
        is_source = graph.node("Less", columns, lengths)
        return graph.node("Where", is_source, graph.constant(np.float32(0)), graph.constant(MASKED_SCORE))

    def _hard_choice(self, scores: str) -> str:
        """Hard attention at inference: 1 at the highest score, at the first of equal ones; scores: [..., source]."""
        graph = self.graph
        depth = graph.node("Shape", scores, start=2)
        highest = graph.node("ArgMax", scores, axis=-1, keepdims=0)
        return graph.node("OneHot", highest, depth, graph.constant(np.array([0, 1], np.float32)), axis=-1)

    def _lstm(self, inputs: str, cell: str) -> tuple[str, str]:
        """h and c of this position; inputs: the cell's inputs and the last h concatenated, [requests, beams, width]."""
        graph, weights = self.graph, self.architecture.weights
        from_input = Linear("lstm", weights["lstm.weight_ih"], weights["lstm.bias_ih"])
        from_hidden = Linear("lstm", weights["lstm.weight_hh"], weights["lstm.bias_hh"])
        gates = self.linear(inputs, _sum("lstm", from_input, from_hidden))
        i, f, g, o = graph.nodes("Split", [gates], 4, axis=-1, num_outputs=4)
        kept = graph.node("Mul", graph.node("Sigmoid", f), cell)
        added = graph.node("Mul", graph.node("Sigmoid", i), graph.node("Tanh", g))
        cell = graph.node("Add", kept, added)
        return graph.node("Mul", graph.node("Sigmoid", o), graph.node("Tanh", cell)), cell


def _sum(name: str, *layers: Linear) -> Linear:
    """One layer that computes the sum of several layers' outputs from their concatenated inputs."""
    biases = [layer.bias for layer in layers if layer.bias is not None]
    weight = np.concatenate([layer.weight for layer in layers], axis=1)
    return Linear(name, weight, np.sum(biases, axis=0, dtype=np.float32) if biases else None)
