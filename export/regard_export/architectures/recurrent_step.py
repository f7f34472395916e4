"""step.onnx of a recurrent translator: one decoder position for all slots."""

import numpy as np
import onnx
from regard_service.bundle import TensorSpec

from regard_export.architectures.candidate_ranking import rank_candidates
from regard_export.architectures.lstm_cell import lstm_cell, lstm_gates
from regard_export.descriptions.recurrent import (
    CELL,
    HIDDEN,
    INITIAL,
    INITIAL_CELL,
    KEYS,
    READOUT,
    STATES,
    RecurrentWeights,
    decoder_cells,
)
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import HIDDEN_SCORE, LENGTHS, NUM_CANDIDATES, SOURCE_LENGTHS, TOKENS, Graph
from regard_export.precision.quantize import Form, Linear


def build_step(weights: RecurrentWeights, form: Form) -> Graph:
    """Draws one position of the decoder, from the last tokens to the candidates for the next ones."""
    return _StepGraph(weights, form).draw()


class _StepGraph:
    """Slots are rows of [slots, width]; only attention sees them as [requests, beams, width]."""

    def __init__(self, weights: RecurrentWeights, form: Form) -> None:
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
        self.visible = self._visible()

    def draw(self) -> Graph:
        embedded = self.form.embed(self.graph, self.weights.table, self.tokens)
        readout = self._bahdanau(embedded) if self.config.style == "bahdanau" else self._luong(embedded)
        if self.config.tie_embeddings and self.config.scale_embeddings:
            # The head reads the table with its scale; the readout takes it back.
            unscale = self.graph.constant(np.float32(1 / self.weights.embedding_scale))
            readout = self.graph.node("Mul", readout, unscale)
        head = self.weights.head
        logits, in_groups = self.form.head(self.graph, readout, head), self.form.ranks_in_groups
        rank_candidates(self.graph, logits, self.num_candidates, len(head.weight), in_groups=in_groups)
        self.graph.output(
            TensorSpec(name="cross_attention_0", dtype="float32", shape=("requests", 1, "beams", "source"))
        )
        for state in self.weights.state:
            self.graph.output(TensorSpec(name=state.output, dtype="float32", shape=state.input.shape))
        return Graph(self.graph.build(), tuple(self.graph.inputs), tuple(self.graph.outputs))

    def _bahdanau(self, embedded: str) -> str:
        """Looks, then moves; returns the readout, a maxout."""
        previous = self._previous(HIDDEN, INITIAL)
        context = self._attend(previous)
        x = self._concat(embedded, context)
        hidden = self._move(x, previous)
        layer = self.weights.linear("decoder.readout")
        pairs = self.form.linear(self.graph, self._concat(hidden, x), layer)
        return self.graph.node("Max", *self.graph.nodes("Split", [pairs], 2, axis=-1, num_outputs=2))

    def _luong(self, embedded: str) -> str:
        """Moves, then looks; returns the readout, which is fed back."""
        hidden = self._move(self._concat(embedded, READOUT), self._previous(HIDDEN, INITIAL))
        context = self._attend(hidden)
        layer = self.weights.linear("decoder.readout")
        readout = self.form.linear(self.graph, self._concat(context, hidden), layer)
        return self.graph.node("Tanh" if self.config.readout_tanh else "Identity", readout, output=f"next_{READOUT}")

    def _previous(self, state: str, first: str) -> str:
        """A state before this position: before the first one, what encode made of the source.

        float32 [slots, state_width]; chosen by Where, since what is not chosen may be anything.
        """
        graph = self.graph
        is_first = graph.node("Equal", self.lengths, graph.constant(np.int32(0)))
        is_first = graph.node("Reshape", is_first, self._beams_shape(1))
        initial = graph.node("Unsqueeze", first, graph.constant(np.array([1])))  # the beams of a request share it
        later = graph.node("Reshape", state, self._beams_shape(self.config.state_width))
        return self._slots(graph.node("Where", is_first, initial, later), self.config.state_width)

    def _move(self, x: str, hidden: str) -> str:
        """One step of all cells from x, float32 [slots, cell_input_width]; returns the topmost's new hidden state."""
        config, graph = self.config, self.graph
        cell = ""
        if config.cell == "lstm":
            cell = self._previous(CELL, INITIAL_CELL) if config.starts_cell else CELL
        if config.decoder_layers == 1:
            return self._cell("decoder.cell.gates", x, hidden, cell, f"next_{HIDDEN}", f"next_{CELL}")
        hiddens, cells = self._apart(hidden), self._apart(cell) if cell else [""] * config.decoder_layers
        names = decoder_cells(config)
        outputs: list[str] = []
        new_cells = [graph.name_value("cell") for _ in names]
        for name, old, kept, new_cell in zip(names, hiddens, cells, new_cells, strict=True):
            x = self._cell(name, x, old, kept, graph.name_value("hidden"), new_cell)
            outputs.append(x)
        graph.node("Concat", *outputs, output=f"next_{HIDDEN}", axis=-1)
        if cell:
            graph.node("Concat", *new_cells, output=f"next_{CELL}", axis=-1)
        return x

    def _apart(self, state: str) -> list[str]:
        """[slots, state_width] -> [slots, decoder_width] of each cell."""
        count = self.config.decoder_layers
        return self.graph.nodes("Split", [state], count, axis=-1, num_outputs=count)

    def _cell(self, name: str, x: str, hidden: str, cell: str, new_hidden: str, new_cell: str) -> str:
        """One step of a cell from what it reads; returns its new hidden state, float32 [slots, decoder_width]."""
        if self.config.cell == "gru":
            return self._gru(name, x, hidden, new_hidden)
        gates = self.form.linear(self.graph, self._concat(x, hidden), lstm_gates(name, *self._gate_layers(name)))
        width = self.config.decoder_width
        return lstm_cell(self.graph, gates, cell, width, hidden_output=new_hidden, cell_output=new_cell)

    def _gru(self, name: str, x: str, hidden: str, new_hidden: str) -> str:
        """h' = n + z (h - n), n = tanh(W x + b + r (U h + c))."""
        graph, width = self.graph, self.config.decoder_width
        sizes = graph.constant(np.array([2 * width, width]))
        read, kept = (
            graph.nodes("Split", [self.form.linear(graph, value, layer), sizes], 2, axis=-1)
            for value, layer in zip((x, hidden), self._gate_layers(name), strict=True)
        )
        gates = graph.node("Sigmoid", graph.node("Add", read[0], kept[0]))
        reset, update = graph.nodes("Split", [gates], 2, axis=-1, num_outputs=2)
        new = graph.node("Tanh", graph.node("Add", read[1], graph.node("Mul", reset, kept[1])))
        change = graph.node("Mul", update, graph.node("Sub", hidden, new))
        return graph.node("Add", new, change, output=new_hidden)

    def _gate_layers(self, name: str) -> list[Linear]:
        """A cell's products with its input and with its hidden state."""
        weights = self.weights.weights
        return [
            Linear(f"{name}.{kind}", weights[f"{name}.weight_{kind}"], weights[f"{name}.bias_{kind}"])
            for kind in ("ih", "hh")
        ]

    def _attend(self, query: str) -> str:
        """Soft attention; query: float32 [slots, decoder_width]; returns the context, float32 [slots, memory_width].

        The hypotheses of a request stand as the query axis over its memory, which is therefore never repeated.
        """
        graph = self.graph
        scores = self._additive(query) if self.config.score == "additive" else self._product(query)
        scores = graph.node("Where", self.visible, scores, graph.constant(HIDDEN_SCORE))
        weights = graph.node("Softmax", scores, axis=-1)  # [requests, beams, source]
        graph.node("Unsqueeze", weights, graph.constant(np.array([1])), output="cross_attention_0")
        return self._slots(graph.node("MatMul", weights, STATES), self.config.memory_width)

    def _product(self, query: str) -> str:
        """q^T k, with the dot, the scaled dot and the general score; [requests, beams, source]."""
        width = self.config.decoder_width
        return self.graph.node(
            "com.microsoft.FusedMatMul",
            self.graph.node("Reshape", query, self._beams_shape(width)),
            KEYS if self.weights.has_keys else STATES,
            transB=1,
            alpha=float(width**-0.5) if self.config.score == "scaled_dot" else 1.0,
        )

    def _additive(self, query: str) -> str:
        """v^T tanh(W q + U k); [requests, beams, source]."""
        graph, score, width = self.graph, "decoder.attention.score", self.config.score_width
        projected = self.form.linear(graph, query, self.weights.linear(f"{score}.query"))
        projected = graph.node("Reshape", projected, self._beams_shape(1, width))
        keys = graph.node("Unsqueeze", KEYS, graph.constant(np.array([1])))
        hidden = graph.node("Tanh", graph.node("Add", projected, keys))  # [requests, beams, source, score_width]
        energy = graph.constant(self.weights.weights[f"{score}.energy.weight"].T, f"{score}.energy")
        return graph.node("Squeeze", graph.node("MatMul", hidden, energy), graph.constant(np.array([-1])))

    def _visible(self) -> str:
        """bool [requests, 1, source]: True within a request's source."""
        graph = self.graph
        size = graph.node("Squeeze", graph.node("Shape", STATES, start=1, end=2))
        columns = graph.node("Range", graph.constant(np.int64(0)), size, graph.constant(np.int64(1)))
        lengths = graph.node("Cast", self.source_lengths, to=onnx.TensorProto.INT64)
        return graph.node("Less", columns, graph.node("Reshape", lengths, graph.constant(np.array([-1, 1, 1]))))

    def _beams_shape(self, *widths: int) -> str:
        """int64: requests, beams and what is behind; the beams follow from the number of slots."""
        requests = self.graph.node("Shape", self.source_lengths)
        return self.graph.node("Concat", requests, self.graph.constant(np.array([-1, *widths])), axis=0)

    def _slots(self, x: str, width: int) -> str:
        """[requests, beams, width] -> [slots, width]."""
        return self.graph.node("Reshape", x, self.graph.constant(np.array([-1, width])))

    def _concat(self, *parts: str) -> str:
        return self.graph.node("Concat", *parts, axis=-1)
