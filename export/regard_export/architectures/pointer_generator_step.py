"""step.onnx of a pointer-generator: one decoder position for all slots, with words to copy among the candidates."""

import numpy as np
import onnx

from regard_export.architectures.candidate_ranking import output_candidates
from regard_export.architectures.lstm_cell import lstm_cell, lstm_gates
from regard_export.descriptions.layers import Linear
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
    PointerGeneratorDescription,
)
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import LENGTHS, MASKED_SCORE, NUM_CANDIDATES, SOURCE_LENGTHS, TOKENS, BuiltGraph
from regard_export.precision.float_layers import float_linear
from regard_export.precision.layer_builders import LayerBuilders
from regard_models.nets.pointer_generator import TINY
from regard_service.bundle import TensorSpec


def build_step(description: PointerGeneratorDescription, builders: LayerBuilders) -> BuiltGraph:
    """Builds one position of the decoder, from the last tokens to the candidates for the next ones."""
    return _StepGraph(description, builders).build()


class _StepGraph:
    """`models/regard_models/nets/pointer_generator.py` node by node.

    Values are [slots, width]; beside the source they are [requests, beams, ...]. A slot that is not in use may hold
    any value, NaN included: Where masks such values, and indexes are clipped to their range.
    """

    def __init__(self, description: PointerGeneratorDescription, builders: LayerBuilders) -> None:
        self.graph = GraphBuilder("step")
        self.description = description
        self.config = description.config
        self.builders = builders
        declare = self.graph.input
        self.tokens = declare(TOKENS)
        self.lengths = declare(LENGTHS)
        self.source_lengths = declare(SOURCE_LENGTHS)
        self.num_candidates = declare(NUM_CANDIDATES)
        for spec in description.memory:
            declare(spec)
        for state in description.state:
            declare(state.input)
        self.source_size = self.graph.node("Shape", STATES, start=1, end=2)
        self.columns = self._columns()
        self.is_source = self._is_source()
        self.ids = self._clipped(IDS, self._int(self.config.vocab_size))
        self.words = self._clipped(WORDS, self.source_size)

    def build(self) -> BuiltGraph:
        graph = self.graph
        embedded = self.builders.embed(graph, self.description.weights["embedding.weight"], self._vocabulary_tokens())
        cell_input = self._linear("feed", self._concat(embedded, CONTEXT))
        hidden = self._cell(cell_input)
        weights, context = self._attend(hidden)
        gate = float_linear(graph, self._concat(context, hidden, embedded), self.description.linear("pointer.gate"))
        output = self._linear("output", self._concat(hidden, context))
        generated = graph.node("LogSoftmax", self.builders.head(graph, output, self.description.head), axis=-1)
        self._candidates(self._by_request(generated, self.config.vocab_size), self._by_request(gate, 1), weights)
        graph.output(TensorSpec(name="cross_attention_0", dtype="float32", shape=("requests", 1, "beams", "source")))
        for state in self.description.state:
            graph.output(TensorSpec(name=state.output, dtype="float32", shape=state.input.shape))
        return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))

    def _vocabulary_tokens(self) -> str:
        """int64 [slots]: the last tokens; for a copy, the copied word's id in the vocabulary, or the unknown token."""
        graph, size = self.graph, self._int(self.config.vocab_size)
        is_copy = graph.node("GreaterOrEqual", self.tokens, size)
        positions = graph.node("Max", graph.node("Sub", self.tokens, size), self._int(0))
        last = graph.node("Sub", self.source_size, self._int(1))
        positions = graph.node("Min", positions, last)
        copied = graph.node("GatherElements", self.ids, self._by_request(positions), axis=1)
        return graph.node("Where", is_copy, self._by_slot(copied), self.tokens)

    def _cell(self, cell_input: str) -> str:
        """The new hidden state; before the first position, the state is the one that encode computed."""
        graph, width = self.graph, self.config.decoder_width
        is_first = self._by_request(graph.node("Equal", self.lengths, graph.constant(np.int32(0))), 1)
        beam_axis = graph.constant(np.array([1]))
        hidden, cell = (
            self._by_slot(
                graph.node("Where", is_first, graph.node("Unsqueeze", first, beam_axis), self._by_request(last, width)),
                width,
            )
            for first, last in ((FIRST_HIDDEN, HIDDEN), (FIRST_CELL, CELL))
        )
        weights = self.description.weights
        layers = (
            Linear(f"decoder.{kind}", weights[f"decoder.weight_{kind}"], weights[f"decoder.bias_{kind}"])
            for kind in ("ih", "hh")
        )
        gates = self.builders.linear(graph, self._concat(cell_input, hidden), lstm_gates("decoder", *layers))
        names = {"hidden_output": f"next_{HIDDEN}", "cell_output": f"next_{CELL}"}
        return lstm_cell(graph, gates, cell, width, **names)

    def _attend(self, hidden: str) -> tuple[str, str]:
        """Attention with coverage (See et al. 2017, equations 10 and 11).

        Returns:
            weights: float32 [requests, beams, source].
            context: float32 [slots, memory_width].
        """
        graph, width = self.graph, self.config.attention_width
        query = self._by_request(self._linear("attention.score.query", hidden), 1, width)
        keys = graph.node("Unsqueeze", KEYS, graph.constant(np.array([1])))
        coverage = graph.node("Reshape", COVERAGE, self._request_shape(-1, self.source_size))
        last_axis = graph.constant(np.array([-1]))
        covered = graph.node("Unsqueeze", coverage, last_axis)
        covered = graph.node(
            "Mul", covered, graph.constant(self.description.weights["attention.coverage.weight"][:, 0])
        )
        inner = graph.node("Tanh", graph.node("Add", graph.node("Add", query, keys), covered))
        energy = graph.constant(self.description.weights["attention.score.energy.weight"].T, "energy")
        scores = graph.node("Squeeze", graph.node("MatMul", inner, energy), last_axis)
        scores = graph.node("Where", self.is_source, scores, graph.constant(MASKED_SCORE))
        weights = graph.node("Softmax", scores, axis=-1)
        graph.node("Unsqueeze", weights, graph.constant(np.array([1])), output="cross_attention_0")
        covered = graph.node("Add", coverage, weights)
        graph.node("Reshape", covered, self._concat(self._int(-1), self.source_size), output=f"next_{COVERAGE}")
        context = graph.node("MatMul", weights, STATES)
        shape = graph.constant(np.array([-1, self.description.memory_width]))
        return weights, graph.node("Reshape", context, shape, output=f"next_{CONTEXT}")

    def _candidates(self, generated: str, gate: str, weights: str) -> None:
        """Ranks words by the sum of their probabilities of being generated and copied (docs/bundle.md, "Copying").

        Args:
            generated: float32 [requests, beams, vocab_size], log-probabilities of generated words.
            gate: float32 [requests, beams, 1], before its sigmoid.
            weights: float32 [requests, beams, source].
        """
        graph = self.graph
        log_probs = self._log_probs(generated, gate, weights)
        graph.nodes("TopK", [log_probs, self.num_candidates], ["candidate_logits", "candidate_ids"], axis=-1)
        graph.node("ConstantOfShape", graph.node("Shape", self.lengths), output="log_normalizer")  # of 0
        output_candidates(graph)

    def _log_probs(self, generated: str, gate: str, weights: str) -> str:
        """float32 [slots, vocab_size + source]: each word's total log-probability under exactly one of its ids.

        That id is the one by which the word is likelier: its own, or vocab_size plus its first position in the source.
        """
        graph = self.graph
        zero, never = graph.constant(np.float32(0)), graph.constant(np.float32(-np.inf))
        tiny, unknown_id = graph.constant(np.float32(TINY)), self._int(self.config.unknown_id)
        ids, words = (
            graph.node("Expand", graph.node("Unsqueeze", x, self._int(1)), graph.node("Shape", weights))
            for x in (self.ids, self.words)
        )
        is_unknown = graph.node("Equal", ids, unknown_id)
        is_known = graph.node("GreaterOrEqual", ids, self._int(self.config.num_special))
        is_copiable = graph.node("And", graph.node("Or", is_unknown, is_known), self.is_source)
        is_first = graph.node("And", is_copiable, graph.node("Equal", words, self.columns))

        copied = graph.node("Mul", weights, graph.node("Sigmoid", graph.node("Neg", gate)))
        # Attention to what cannot be copied counts as generating.
        not_copied = graph.node("ReduceSum", graph.node("Where", is_copiable, zero, copied), self._int(-1), keepdims=1)
        generate = graph.node("Add", graph.node("Sigmoid", gate), not_copied)
        rows = graph.node("Add", generated, graph.node("Log", graph.node("Max", generate, tiny)))
        copied = graph.node("Where", is_copiable, copied, zero)
        zeros = graph.node("Expand", zero, graph.node("Shape", copied))
        copied = graph.node("ScatterElements", zeros, words, copied, axis=2, reduction="add")
        as_generated = graph.node("Exp", graph.node("GatherElements", rows, ids, axis=2))
        as_generated = graph.node("Where", is_unknown, zero, as_generated)
        is_copied = graph.node("Or", is_unknown, graph.node("Greater", copied, as_generated))
        total = graph.node("Max", graph.node("Add", copied, as_generated), tiny)
        total = graph.node("Log", total)

        is_known_first = graph.node("And", is_first, graph.node("Not", is_unknown))
        places = graph.node("Where", is_known_first, ids, unknown_id)
        is_generated = graph.node("And", is_known_first, graph.node("Not", is_copied))
        rows = graph.node("ScatterElements", rows, places, graph.node("Where", is_generated, total, never), axis=2)
        copies = graph.node("Where", graph.node("And", is_first, is_copied), total, never)
        joined = self._concat(rows, copies)
        size = graph.node("Add", self._int(self.config.vocab_size), self.source_size)
        return graph.node("Reshape", joined, self._concat(self._int(-1), size))

    def _linear(self, name: str, x: str) -> str:
        return self.builders.linear(self.graph, x, self.description.linear(name))

    def _columns(self) -> str:
        """int64 [source]: 0, 1, ..."""
        graph = self.graph
        end = graph.node("Squeeze", self.source_size)
        return graph.node("Range", graph.constant(np.int64(0)), end, graph.constant(np.int64(1)))

    def _is_source(self) -> str:
        """bool [requests, 1, source]: True within a request's source."""
        graph = self.graph
        lengths = graph.node("Cast", self.source_lengths, to=onnx.TensorProto.INT64)
        return graph.node("Less", self.columns, graph.node("Reshape", lengths, graph.constant(np.array([-1, 1, 1]))))

    def _clipped(self, indexes: str, size: str) -> str:
        """int64 [requests, source]: indexes from 0 to below size, int64 [1], whatever stands behind a source."""
        graph = self.graph
        last = graph.node("Sub", size, self._int(1))
        return graph.node("Min", graph.node("Max", indexes, self._int(0)), last)

    def _int(self, value: int) -> str:
        """int64 [1]."""
        return self.graph.constant(np.array([value]))

    def _request_shape(self, *widths: int | str) -> str:
        """int64: the number of requests, then the widths (int64 [1], or numbers; -1 follows from the others)."""
        requests = self.graph.node("Shape", self.source_lengths)
        return self._concat(requests, *(width if isinstance(width, str) else self._int(width) for width in widths))

    def _by_request(self, x: str, *widths: int) -> str:
        """[slots, ...] -> [requests, beams, *widths]."""
        return self.graph.node("Reshape", x, self._request_shape(-1, *widths))

    def _by_slot(self, x: str, *widths: int) -> str:
        """[requests, beams, ...] -> [slots, *widths]."""
        return self.graph.node("Reshape", x, self.graph.constant(np.array([-1, *widths])))

    def _concat(self, *parts: str) -> str:
        return self.graph.node("Concat", *parts, axis=-1)
