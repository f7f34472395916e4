"""step.onnx of a recurrent translator: one decoder position for all slots."""

import numpy as np
import onnx

from regard_export.architectures.candidate_ranking import rank_candidates
from regard_export.architectures.lstm_cell import lstm_cell, lstm_gates
from regard_export.descriptions.recurrent import (
    CELL,
    HIDDEN,
    INITIAL_CELL,
    INITIAL_STATE,
    KEYS,
    READOUT,
    STATES,
    RecurrentDescription,
    decoder_cells,
)
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import LENGTHS, MASKED_SCORE, NUM_CANDIDATES, SOURCE_LENGTHS, TOKENS, BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders
from regard_service.bundle import TensorSpec


def build_step(description: RecurrentDescription, builders: LayerBuilders) -> BuiltGraph:
    """Builds one position of the decoder, from the last tokens to the candidates for the next ones."""
    return _StepGraph(description, builders).build()


class _StepGraph:
    """Values are [slots, width], within attention [requests, beams, width]."""

    def __init__(self, description: RecurrentDescription, builders: LayerBuilders) -> None:
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
        self.is_source = self._is_source()

    def build(self) -> BuiltGraph:
        embedded = self.builders.embed(self.graph, self.description.scaled_embedding, self.tokens)
        readout = self._bahdanau(embedded) if self.config.style == "bahdanau" else self._luong(embedded)
        if self.config.tie_embeddings and self.config.scale_embeddings:
            # The head multiplies with the scaled table; the readout is divided by the scale.
            unscale = self.graph.constant(np.float32(1 / self.description.embedding_scale))
            readout = self.graph.node("Mul", readout, unscale)
        head, is_grouped = self.description.head, self.builders.is_ranking_grouped
        logits = self.builders.head(self.graph, readout, head)
        rank_candidates(self.graph, logits, self.num_candidates, len(head.weight), is_grouped=is_grouped)
        self.graph.output(
            TensorSpec(name="cross_attention_0", dtype="float32", shape=("requests", 1, "beams", "source"))
        )
        for state in self.description.state:
            self.graph.output(TensorSpec(name=state.output, dtype="float32", shape=state.input.shape))
        return BuiltGraph(self.graph.build(), tuple(self.graph.inputs), tuple(self.graph.outputs))

    def _bahdanau(self, embedded: str) -> str:
        """Attends, then updates the state (Bahdanau et al. 2015); returns the readout, a maxout."""
        previous = self._previous(HIDDEN, INITIAL_STATE)
        context = self._attend(previous)
        x = self._concat(embedded, context)
        hidden = self._next_state(x, previous)
        layer = self.description.linear("decoder.readout")
        pairs = self.builders.linear(self.graph, self._concat(hidden, x), layer)
        return self.graph.node("Max", *self.graph.nodes("Split", [pairs], 2, axis=-1, num_outputs=2))

    def _luong(self, embedded: str) -> str:
        """Updates the state, then attends (Luong et al. 2015); returns the readout, which is fed back."""
        hidden = self._next_state(self._concat(embedded, READOUT), self._previous(HIDDEN, INITIAL_STATE))
        context = self._attend(hidden)
        layer = self.description.linear("decoder.readout")
        readout = self.builders.linear(self.graph, self._concat(context, hidden), layer)
        return self.graph.node("Tanh" if self.config.readout_tanh else "Identity", readout, output=f"next_{READOUT}")

    def _previous(self, state: str, first: str) -> str:
        """A state before this position, float32 [slots, state_width]; at the first one, encode's initial state.

        Where chooses, since the state that is not chosen may hold NaN.
        """
        graph = self.graph
        is_first = graph.node("Equal", self.lengths, graph.constant(np.int32(0)))
        is_first = graph.node("Reshape", is_first, self._request_shape(1))
        initial = graph.node("Unsqueeze", first, graph.constant(np.array([1])))  # the beams of a request share it
        later = graph.node("Reshape", state, self._request_shape(self.config.state_width))
        return self._by_slot(graph.node("Where", is_first, initial, later), self.config.state_width)

    def _next_state(self, x: str, hidden: str) -> str:
        """One step of all cells from x, float32 [slots, cell_input_width]; returns the top cell's hidden state."""
        config, graph = self.config, self.graph
        cell = ""
        if config.cell == "lstm":
            cell = self._previous(CELL, INITIAL_CELL) if config.starts_cell else CELL
        if config.decoder_layers == 1:
            return self._cell("decoder.cell.gates", x, hidden, cell, f"next_{HIDDEN}", f"next_{CELL}")
        hiddens, cells = self._by_cell(hidden), self._by_cell(cell) if cell else [""] * config.decoder_layers
        names = decoder_cells(config)
        outputs: list[str] = []
        new_cells = [graph.name_value("cell") for _ in names]
        for name, old_hidden, old_cell, new_cell in zip(names, hiddens, cells, new_cells, strict=True):
            x = self._cell(name, x, old_hidden, old_cell, graph.name_value("hidden"), new_cell)
            outputs.append(x)
        graph.node("Concat", *outputs, output=f"next_{HIDDEN}", axis=-1)
        if cell:
            graph.node("Concat", *new_cells, output=f"next_{CELL}", axis=-1)
        return x

    def _by_cell(self, state: str) -> list[str]:
        """[slots, state_width] -> [slots, decoder_width] of each cell."""
        count = self.config.decoder_layers
        return self.graph.nodes("Split", [state], count, axis=-1, num_outputs=count)

    def _cell(self, name: str, x: str, hidden: str, cell: str, new_hidden: str, new_cell: str) -> str:
        """One step of a cell from its input x; returns its new hidden state, float32 [slots, decoder_width]."""
        if self.config.cell == "gru":
            return self._gru(name, x, hidden, new_hidden)
        gates = self.builders.linear(
            self.graph, self._concat(x, hidden), lstm_gates(name, *self.description.cell_layers(name))
        )
        width = self.config.decoder_width
        return lstm_cell(self.graph, gates, cell, width, hidden_output=new_hidden, cell_output=new_cell)

    def _gru(self, name: str, x: str, hidden: str, new_hidden: str) -> str:
        """h' = n + z (h - n), n = tanh(W x + b + r (U h + c))."""
        graph, width = self.graph, self.config.decoder_width
        sizes = graph.constant(np.array([2 * width, width]))
        of_input, of_hidden = (
            graph.nodes("Split", [self.builders.linear(graph, value, layer), sizes], 2, axis=-1)
            for value, layer in zip((x, hidden), self.description.cell_layers(name), strict=True)
        )
        gates = graph.node("Sigmoid", graph.node("Add", of_input[0], of_hidden[0]))
        reset, update = graph.nodes("Split", [gates], 2, axis=-1, num_outputs=2)
        new = graph.node("Tanh", graph.node("Add", of_input[1], graph.node("Mul", reset, of_hidden[1])))
        change = graph.node("Mul", update, graph.node("Sub", hidden, new))
        return graph.node("Add", new, change, output=new_hidden)

    def _attend(self, query: str) -> str:
        """Soft attention; query: float32 [slots, decoder_width]; returns the context, float32 [slots, memory_width].

        A request's hypotheses are the query axis over its memory, which is therefore not repeated per hypothesis.
        """
        graph = self.graph
        scores = self._additive(query) if self.config.score == "additive" else self._product(query)
        scores = graph.node("Where", self.is_source, scores, graph.constant(MASKED_SCORE))
        weights = graph.node("Softmax", scores, axis=-1)  # [requests, beams, source]
        graph.node("Unsqueeze", weights, graph.constant(np.array([1])), output="cross_attention_0")
        return self._by_slot(graph.node("MatMul", weights, STATES), self.config.memory_width)

    def _product(self, query: str) -> str:
        """q^T k, with the dot, the scaled dot and the general score; [requests, beams, source]."""
        width = self.config.decoder_width
        return self.graph.node(
            "com.microsoft.FusedMatMul",
            self.graph.node("Reshape", query, self._request_shape(width)),
            KEYS if self.description.has_keys else STATES,
            transB=1,
            alpha=float(width**-0.5) if self.config.score == "scaled_dot" else 1.0,
        )

    def _additive(self, query: str) -> str:
        """v^T tanh(W q + U k); [requests, beams, source]."""
        graph, score, width = self.graph, "decoder.attention.score", self.config.score_width
        projected = self.builders.linear(graph, query, self.description.linear(f"{score}.query"))
        projected = graph.node("Reshape", projected, self._request_shape(1, width))
        keys = graph.node("Unsqueeze", KEYS, graph.constant(np.array([1])))
        hidden = graph.node("Tanh", graph.node("Add", projected, keys))  # [requests, beams, source, score_width]
        energy = graph.constant(self.description.weights[f"{score}.energy.weight"].T, f"{score}.energy")
        return graph.node("Squeeze", graph.node("MatMul", hidden, energy), graph.constant(np.array([-1])))

    def _is_source(self) -> str:
        """bool [requests, 1, source]: True within a request's source."""
        graph = self.graph
        size = graph.node("Squeeze", graph.node("Shape", STATES, start=1, end=2))
        columns = graph.node("Range", graph.constant(np.int64(0)), size, graph.constant(np.int64(1)))
        lengths = graph.node("Cast", self.source_lengths, to=onnx.TensorProto.INT64)
        return graph.node("Less", columns, graph.node("Reshape", lengths, graph.constant(np.array([-1, 1, 1]))))

    def _request_shape(self, *widths: int) -> str:
        """int64: the number of requests, of beams (-1: it follows from the number of slots), and the widths."""
        requests = self.graph.node("Shape", self.source_lengths)
        return self.graph.node("Concat", requests, self.graph.constant(np.array([-1, *widths])), axis=0)

    def _by_slot(self, x: str, width: int) -> str:
        """[requests, beams, width] -> [slots, width]."""
        return self.graph.node("Reshape", x, self.graph.constant(np.array([-1, width])))

    def _concat(self, *parts: str) -> str:
        return self.graph.node("Concat", *parts, axis=-1)
