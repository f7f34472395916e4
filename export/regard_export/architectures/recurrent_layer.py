"""A recurrent layer as a node, from PyTorch's parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from regard.arrays import Float32Array
from regard_export.onnx_graph.builder import GraphBuilder

# Where PyTorch's gates stand in ONNX's order: input, output, forget, cell; update, reset, new.
_GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}

Direction = Mapping[str, Float32Array]
"""One direction's weight_ih, weight_hh, bias_ih and bias_hh."""


@dataclass(frozen=True)
class Layer:
    """What a layer computes.

    Attributes:
        states: float32 [source, requests, directions x hidden width].
        last: float32 [requests, directions x hidden width], of each direction the hidden state that it ends with.
        last_cell: likewise, an LSTM's cell; "" of a GRU.
    """

    states: str
    last: str
    last_cell: str


def recurrent_layer(
    graph: GraphBuilder,
    cell: Literal["lstm", "gru"],
    directions: Sequence[Direction],
    x: str,
    lengths: str,
    name: str,
) -> Layer:
    """One layer, which stops at each source's own length and writes 0 behind it.

    It stays float32 in every form: ONNX Runtime's quantized LSTM scales activations by the largest of all rows, so that
    a source's states would depend on who is encoded with it.

    Args:
        directions: forwards, or forwards and backwards.
        x: float32 [source, requests, width].
        lengths: int32 [requests].
    """
    input_weight, recurrent_weight, *biases = (
        np.stack([_in_order(direction[kind], cell) for direction in directions])
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    width = recurrent_weight.shape[-1]
    # PyTorch's GRU resets what the recurrent matrix returns, not what it reads.
    options = {"linear_before_reset": 1} if cell == "gru" else {}
    outputs, *last = graph.nodes(
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
        hidden_size=width,
        **options,
    )
    states = graph.node("Transpose", outputs, perm=[0, 2, 1, 3])
    states = graph.node("Reshape", states, graph.constant(np.array([0, 0, len(directions) * width])))
    shape = graph.constant(np.array([-1, len(directions) * width]))
    ends = [graph.node("Reshape", graph.node("Transpose", end, perm=[1, 0, 2]), shape) for end in last]
    return Layer(states, ends[0], ends[1] if cell == "lstm" else "")


def _in_order(parameter: Float32Array, cell: str) -> Float32Array:
    """A parameter with its gates in ONNX's order, float32 [gates x hidden width, ...]."""
    order = _GATES[cell]
    gates = np.split(parameter, len(order))
    return np.concatenate([gates[gate] for gate in order])
