"""One step of an LSTM, from PyTorch's parameters."""

import numpy as np

from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.quantize import Linear


def lstm_gates(name: str, from_input: Linear, from_hidden: Linear) -> Linear:
    """The products with the input and with the hidden state as one, of the two side by side.

    The gates come in the order that `lstm_cell` takes: the sigmoid's f, i and o, then g (PyTorch's is i, f, g, o).
    """
    if from_input.bias is None or from_hidden.bias is None:
        raise ValueError(f"{name} has no biases")
    i, f, g, o = np.split(np.concatenate([from_input.weight, from_hidden.weight], axis=1), 4)
    bias_i, bias_f, bias_g, bias_o = np.split(from_input.bias + from_hidden.bias, 4)
    return Linear(name, np.concatenate([f, i, o, g]), np.concatenate([bias_f, bias_i, bias_o, bias_g]))


def lstm_cell(graph: GraphBuilder, gates: str, cell: str, width: int, *, hidden_output: str, cell_output: str) -> str:
    """c' = f c + i g, h' = o tanh(c').

    Args:
        gates: float32 [slots, 4 x width], what `lstm_gates` returns of the input and the hidden state.
        cell: float32 [slots, width].
        hidden_output, cell_output: names for h' and c', float32 [slots, width].

    Returns:
        h'.
    """
    sizes = graph.constant(np.array([3 * width, width]))
    opened, new = graph.nodes("Split", [gates, sizes], 2, axis=-1)
    keep, write, show = graph.nodes("Split", [graph.node("Sigmoid", opened)], 3, axis=-1, num_outputs=3)
    written = graph.node("Mul", write, graph.node("Tanh", new))
    cell = graph.node("Add", graph.node("Mul", keep, cell), written, output=cell_output)
    return graph.node("Mul", show, graph.node("Tanh", cell), output=hidden_output)
