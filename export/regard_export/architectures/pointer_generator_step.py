"""step.onnx of a pointer-generator: one decoder position for all slots, words to copy among the candidates."""

import numpy as np
import onnx
from regard_models.nets.pointer_generator import TINY
from regard_service.bundle import TensorSpec

from regard_export.architectures.lstm_cell import lstm_cell, lstm_gates
from regard_export.descriptions.pointer_generator import (
    CELL,
    CONTEXT,
    COVERAGE,
    FIRST_CELL,
    FIRST_HIDDEN,
    HIDDEN,
    IDS,
    KEYS,
    STATES,
    WORDS,
    PointerWeights,
)
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import HIDDEN_SCORE, LENGTHS, NUM_CANDIDATES, SOURCE_LENGTHS, TOKENS, Graph
from regard_export.precision.quantize import Form, Linear, float_linear


def build_step(weights: PointerWeights, form: Form) -> Graph:
    """Draws one position of the decoder, from the last tokens to the candidates for the next ones."""
    return _StepGraph(weights, form).draw()


class _StepGraph:
    """`models/regard_models/nets/pointer_generator.py` node by node.

    Slots are rows of [slots, width]; where the source is looked at, they are [requests, beams, ...]. A slot may hold
    anything, numbers that are none included: what is not wanted is left out by Where, and indexes are kept in range.
    """

    def __init__(self, weights: PointerWeights, form: Form) -> None:
        self.graph = GraphBuilder("step")
        self.weights = weights
        self.config = weights.config
        self.form = form
        declare = self.graph.input
        self.tokens = declare(TOKENS)
        self.lengths = declare(LENGTHS)
        self.source_lengths = declare(SOURCE_LENGTHS)
        self.num_candidates = declare(NUM_CANDIDATES)
        for spec in weights.memory:
            declare(spec)
        for state in weights.state:
            declare(state.input)
        self.source_size = self.graph.node("Shape", STATES, start=1, end=2)
        self.columns = self._columns()
        self.visible = self._visible()
        self.ids = self._within(IDS, self._int(self.config.vocab_size))
        self.words = self._within(WORDS, self.source_size)

    def draw(self) -> Graph:
        graph = self.graph
        embedded = self.form.embed(graph, self.weights.weights["embedding.weight"], self._known_tokens())
        fed = self._linear("feed", self._concat(embedded, CONTEXT))
        hidden = self._cell(fed)
        weights, context = self._attend(hidden)
        gate = float_linear(graph, self._concat(context, hidden, embedded), self.weights.linear("pointer.gate"))
        output = self._linear("output", self._concat(hidden, context))
        said = graph.node("LogSoftmax", self.form.head(graph, output, self.weights.head), axis=-1)
        self._candidates(self._of_beams(said, self.config.vocab_size), self._of_beams(gate, 1), weights)
        graph.output(TensorSpec(name="cross_attention_0", dtype="float32", shape=("requests", 1, "beams", "source")))
        for state in self.weights.state:
            graph.output(TensorSpec(name=state.output, dtype="float32", shape=state.input.shape))
        return Graph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))

    def _known_tokens(self) -> str:
        """int64 [slots]: the last tokens, for a copy the word's own id, which is the unknown token's if it has none."""
        graph, size = self.graph, self._int(self.config.vocab_size)
        is_copy = graph.node("GreaterOrEqual", self.tokens, size)
        positions = graph.node("Max", graph.node("Sub", self.tokens, size), self._int(0))
        last = graph.node("Sub", self.source_size, self._int(1))
        positions = graph.node("Min", positions, last)
        copied = graph.node("GatherElements", self.ids, self._of_beams(positions), axis=1)
        return graph.node("Where", is_copy, self._of_slots(copied), self.tokens)

    def _cell(self, fed: str) -> str:
        """The new hidden state; before the first position, h and c are what encode made of the source."""
        graph, width = self.graph, self.config.decoder_width
        is_first = self._of_beams(graph.node("Equal", self.lengths, graph.constant(np.int32(0))), 1)
        beams_of_one = graph.constant(np.array([1]))
        hidden, cell = (
            self._of_slots(
                graph.node(
                    "Where", is_first, graph.node("Unsqueeze", first, beams_of_one), self._of_beams(last, width)
                ),
                width,
            )
            for first, last in ((FIRST_HIDDEN, HIDDEN), (FIRST_CELL, CELL))
        )
        weights = self.weights.weights
        layers = (
            Linear(f"decoder.{kind}", weights[f"decoder.weight_{kind}"], weights[f"decoder.bias_{kind}"])
            for kind in ("ih", "hh")
        )
        gates = self.form.linear(graph, self._concat(fed, hidden), lstm_gates("decoder", *layers))
        names = {"hidden_output": f"next_{HIDDEN}", "cell_output": f"next_{CELL}"}
        return lstm_cell(graph, gates, cell, width, **names)

    def _attend(self, hidden: str) -> tuple[str, str]:
        """Attention with coverage (See et al. 2017, equations 10 and 11).

        Returns:
            weights: float32 [requests, beams, source].
            context: float32 [slots, memory_width].
        """
        graph, width = self.graph, self.config.attention_width
        query = self._of_beams(self._linear("attention.score.query", hidden), 1, width)
        keys = graph.node("Unsqueeze", KEYS, graph.constant(np.array([1])))
        coverage = graph.node("Reshape", COVERAGE, self._beams_shape(-1, self.source_size))
        last_axis = graph.constant(np.array([-1]))
        covered = graph.node("Unsqueeze", coverage, last_axis)
        covered = graph.node("Mul", covered, graph.constant(self.weights.weights["attention.coverage.weight"][:, 0]))
        inner = graph.node("Tanh", graph.node("Add", graph.node("Add", query, keys), covered))
        energy = graph.constant(self.weights.weights["attention.score.energy.weight"].T, "energy")
        scores = graph.node("Squeeze", graph.node("MatMul", inner, energy), last_axis)
        scores = graph.node("Where", self.visible, scores, graph.constant(HIDDEN_SCORE))
        weights = graph.node("Softmax", scores, axis=-1)
        graph.node("Unsqueeze", weights, graph.constant(np.array([1])), output="cross_attention_0")
        covered = graph.node("Add", coverage, weights)
        graph.node("Reshape", covered, self._concat(self._int(-1), self.source_size), output=f"next_{COVERAGE}")
        context = graph.node("MatMul", weights, STATES)
        shape = graph.constant(np.array([-1, self.weights.memory_width]))
        return weights, graph.node("Reshape", context, shape, output=f"next_{CONTEXT}")

    def _candidates(self, said: str, gate: str, weights: str) -> None:
        """Puts every word's probability under one id (docs/bundle.md, "Copying") and ranks them.

        Args:
            said: float32 [requests, beams, vocab_size], log-probabilities of what is said.
            gate: float32 [requests, beams, 1], before its sigmoid.
            weights: float32 [requests, beams, source].
        """
        graph = self.graph
        nothing, never = graph.constant(np.float32(0)), graph.constant(np.float32(-np.inf))
        tiny, unknown_id = graph.constant(np.float32(TINY)), self._int(self.config.unknown_id)
        ids, words = (
            graph.node("Expand", graph.node("Unsqueeze", x, self._int(1)), graph.node("Shape", weights))
            for x in (self.ids, self.words)
        )
        unknown = graph.node("Equal", ids, unknown_id)
        known = graph.node("GreaterOrEqual", ids, self._int(self.config.num_special))
        copiable = graph.node("And", graph.node("Or", unknown, known), self.visible)
        first = graph.node("And", copiable, graph.node("Equal", words, self.columns))

        copied = graph.node("Mul", weights, graph.node("Sigmoid", graph.node("Neg", gate)))
        not_copied = graph.node("ReduceSum", graph.node("Where", copiable, nothing, copied), self._int(-1), keepdims=1)
        say = graph.node("Add", graph.node("Sigmoid", gate), not_copied)
        rows = graph.node("Add", said, graph.node("Log", graph.node("Max", say, tiny)))
        copied = graph.node("Where", copiable, copied, nothing)
        zeros = graph.node("Expand", nothing, graph.node("Shape", copied))
        copied = graph.node("ScatterElements", zeros, words, copied, axis=2, reduction="add")
        said_there = graph.node("Exp", graph.node("GatherElements", rows, ids, axis=2))
        said_there = graph.node("Where", unknown, nothing, said_there)
        by_copying = graph.node("Or", unknown, graph.node("Greater", copied, said_there))
        total = graph.node("Max", graph.node("Add", copied, said_there), tiny)
        total = graph.node("Log", total)

        known_first = graph.node("And", first, graph.node("Not", unknown))
        places = graph.node("Where", known_first, ids, unknown_id)
        here = graph.node("And", known_first, graph.node("Not", by_copying))
        rows = graph.node("ScatterElements", rows, places, graph.node("Where", here, total, never), axis=2)
        copies = graph.node("Where", graph.node("And", first, by_copying), total, never)
        joined = self._concat(rows, copies)
        size = graph.node("Add", self._int(self.config.vocab_size), self.source_size)
        log_probs = graph.node("Reshape", joined, self._concat(self._int(-1), size))
        graph.nodes("TopK", [log_probs, self.num_candidates], ["candidate_logits", "candidate_ids"], axis=-1)
        graph.node("ConstantOfShape", graph.node("Shape", self.lengths), output="log_normalizer")  # of 0
        graph.output(TensorSpec(name="candidate_logits", dtype="float32", shape=("slots", "candidates")))
        graph.output(TensorSpec(name="candidate_ids", dtype="int64", shape=("slots", "candidates")))
        graph.output(TensorSpec(name="log_normalizer", dtype="float32", shape=("slots",)))

    def _linear(self, name: str, x: str) -> str:
        return self.form.linear(self.graph, x, self.weights.linear(name))

    def _columns(self) -> str:
        """int64 [source]: 0, 1, ..."""
        graph = self.graph
        end = graph.node("Squeeze", self.source_size)
        return graph.node("Range", graph.constant(np.int64(0)), end, graph.constant(np.int64(1)))

    def _visible(self) -> str:
        """bool [requests, 1, source]: True within a request's source."""
        graph = self.graph
        lengths = graph.node("Cast", self.source_lengths, to=onnx.TensorProto.INT64)
        return graph.node("Less", self.columns, graph.node("Reshape", lengths, graph.constant(np.array([-1, 1, 1]))))

    def _within(self, indexes: str, size: str) -> str:
        """int64 [requests, source], at least 0 and less than size, int64 [1], whatever stands behind a source."""
        graph = self.graph
        last = graph.node("Sub", size, self._int(1))
        return graph.node("Min", graph.node("Max", indexes, self._int(0)), last)

    def _int(self, value: int) -> str:
        """int64 [1]."""
        return self.graph.constant(np.array([value]))

    def _beams_shape(self, *widths: int | str) -> str:
        """int64: requests and what is behind; sizes, or int64 [1]; the one that is -1 follows from the others."""
        requests = self.graph.node("Shape", self.source_lengths)
        return self._concat(requests, *(width if isinstance(width, str) else self._int(width) for width in widths))

    def _of_beams(self, x: str, *widths: int) -> str:
        """[slots, ...] -> [requests, beams, *widths]."""
        return self.graph.node("Reshape", x, self._beams_shape(-1, *widths))

    def _of_slots(self, x: str, *widths: int) -> str:
        """[requests, beams, ...] -> [slots, *widths]."""
        return self.graph.node("Reshape", x, self.graph.constant(np.array([-1, *widths])))

    def _concat(self, *parts: str) -> str:
        return self.graph.node("Concat", *parts, axis=-1)
