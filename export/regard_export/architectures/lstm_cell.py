"""One step of an LSTM, from PyTorch's parameters."""

import numpy as np

from regard_export.descriptions.layers import Linear
from regard_export.onnx_graph.builder import GraphBuilder


def lstm_gates(name: str, from_input: Linear, from_hidden: Linear) -> Linear:
    """One product for all gates, of the concatenated input and hidden state.

    The gates are in the order that `lstm_cell` reads: f, i and o, which the sigmoid activates, then g. PyTorch's order
    is i, f, g, o.
    """
    if from_input.bias is None or from_hidden.bias is None:
        raise ValueError(f"{name} has no biases")
    i, f, g, o = np.split(np.concatenate([from_input.weight, from_hidden.weight], axis=1), 4)
    bias_i, bias_f, bias_g, bias_o = np.split(from_input.bias + from_hidden.bias, 4)
    return Linear(name, np.concatenate([f, i, o, g]), np.concatenate([bias_f, bias_i, bias_o, bias_g]))


def lstm_cell(graph: GraphBuilder, gates: str, cell: str, width: int, *, hidden_output: str, cell_output: str) -> str:
    """c' = f c + i g, h' = o tanh(c').

    Args:
        gates: float32 [slots, 4 x width], the output of the layer that `lstm_gates` returns.
        cell: float32 [slots, width].
        hidden_output, cell_output: names for h' and c', float32 [slots, width].

    Returns:
        h'.
    """
    sizes = graph.constant(np.array([3 * width, width]))
    before_sigmoid, before_tanh = graph.nodes("Split", [gates, sizes], 2, axis=-1)
    f, i, o = graph.nodes("Split", [graph.node("Sigmoid", before_sigmoid)], 3, axis=-1, num_outputs=3)
    update = graph.node("Mul", i, graph.node("Tanh", before_tanh))
    cell = graph.node("Add", graph.node("Mul", f, cell), update, output=cell_output)
    return graph.node("Mul", o, graph.node("Tanh", cell), output=hidden_output)
