"""A recurrent layer as one ONNX operator, from PyTorch's parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from regard.arrays import Float32Array
from regard_export.onnx_graph.builder import GraphBuilder

# Indexes of PyTorch's gates in ONNX's order: input, output, forget, cell; update, reset, new.
_GATE_ORDER = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}

DirectionWeights = Mapping[str, Float32Array]
"""One direction's weight_ih, weight_hh, bias_ih and bias_hh."""


@dataclass(frozen=True)
class RecurrentLayerOutput:
    """Names of a layer's outputs.

    Attributes:
        states: float32 [source, requests, directions x hidden width].
        last: float32 [requests, directions x hidden width], the final hidden state of each direction.
        last_cell: the final cell of an LSTM, of the same shape; "" of a GRU.
    """

    states: str
    last: str
    last_cell: str


def recurrent_layer(
    graph: GraphBuilder,
    cell: Literal["lstm", "gru"],
    directions: Sequence[DirectionWeights],
    x: str,
    lengths: str,
    name: str,
) -> RecurrentLayerOutput:
    """Adds one layer, which stops at the end of each source and writes 0 behind it.

    It stays float32 in every precision: ONNX Runtime's quantized LSTM scales activations by the largest of all rows,
    so that a source's states would depend on the other sources in the batch.

    Args:
        directions: forwards, or forwards and backwards.
        x: float32 [source, requests, width].
        lengths: int32 [requests].
        name: the prefix of the constants' names.
    """
    input_weight, recurrent_weight, *biases = (
        np.stack([_in_onnx_order(direction[kind], cell) for direction in directions])
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    hidden_width = recurrent_weight.shape[-1]
    # PyTorch's GRU applies the reset gate to the recurrent product, not to its input.
    options = {"linear_before_reset": 1} if cell == "gru" else {}
    states, *last = graph.nodes(
        cell.upper(),
        [
            x,
            graph.constant(input_weight, f"{name}.weight_ih"),
            graph.constant(recurrent_weight, f"{name}.weight_hh"),
            graph.constant(np.concatenate(biases, axis=1), f"{name}.bias"),
            lengths,
        ],
        3 if cell == "lstm" else 2,  # [source, directions, requests, hidden width], then [directions, requests, ...]
        direction="bidirectional" if len(directions) == 2 else "forward",
        hidden_size=hidden_width,
        **options,
    )
    return _merge_directions(graph, states, last, len(directions) * hidden_width)


def _merge_directions(graph: GraphBuilder, states: str, last: Sequence[str], width: int) -> RecurrentLayerOutput:
    """Concatenates the directions of an operator's outputs; `width` is that of all directions together."""
    states = graph.node("Transpose", states, perm=[0, 2, 1, 3])
    states = graph.node("Reshape", states, graph.constant(np.array([0, 0, width])))
    shape = graph.constant(np.array([-1, width]))
    hidden, *cell = [graph.node("Reshape", graph.node("Transpose", end, perm=[1, 0, 2]), shape) for end in last]
    return RecurrentLayerOutput(states, hidden, cell[0] if cell else "")


def _in_onnx_order(parameter: Float32Array, cell: str) -> Float32Array:
    """A parameter with its gates in ONNX's order, float32 [gates x hidden width, ...]."""
    order = _GATE_ORDER[cell]
    gates = np.split(parameter, len(order))
    return np.concatenate([gates[gate] for gate in order])
