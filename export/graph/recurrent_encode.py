"""encode.onnx of a recurrent translator: source tokens in; encoder states, keys and the decoder's first state out."""

import numpy as np

from export.graph.builder import GraphBuilder
from export.graph.contract import SOURCE_LENGTHS, Graph
from export.graph.recurrent_weights import INITIAL, KEYS, STATES, RecurrentWeights
from export.quantize import Float32Array, Form
from models.bundle import TensorSpec

# Where PyTorch's gates stand in ONNX's order: input, output, forget, cell; update, reset, new.
_GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}


def build_encode(weights: RecurrentWeights, form: Form) -> Graph:
    """Draws the encoder.

    The recurrent layers stay float32 in every form: ONNX Runtime's quantized LSTM scales activations by the largest of
    all rows, so that a source's states would depend on who is encoded with it.
    """
    graph, config = GraphBuilder("encode"), weights.config
    ids = graph.input(TensorSpec(name="source_ids", dtype="int64", shape=("tokens",)))
    to_packed = graph.input(TensorSpec(name="padded_to_packed", dtype="int64", shape=("requests", "source")))
    lengths = graph.input(SOURCE_LENGTHS)

    embedded = graph.node("Gather", form.embed(graph, weights.table, ids), to_packed)  # [requests, source, width]
    x = graph.node("Transpose", embedded, perm=[1, 0, 2])  # [source, requests, width]
    last = ""
    for layer in range(config.encoder_layers):
        x, last = _layer(graph, weights, layer, x, lengths)
    states = graph.node("Transpose", x, output=STATES, perm=[1, 0, 2])  # [requests, source, memory_width]
    if weights.has_keys:
        keys = form.linear(graph, states, weights.linear("decoder.attention.score.key"))
        graph.node("Identity", keys, output=KEYS)
    initial = form.linear(graph, last, weights.linear("encoder.bridge"))
    graph.node("Tanh", initial, output=INITIAL)
    for spec in weights.memory:
        graph.output(spec)
    return Graph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))


def _layer(graph: GraphBuilder, weights: RecurrentWeights, layer: int, x: str, lengths: str) -> tuple[str, str]:
    """One bidirectional layer, which stops at each source's own length and writes 0 behind it.

    Args:
        x: float32 [source, requests, width].

    Returns:
        states: float32 [source, requests, memory_width].
        last: float32 [requests, memory_width], of either direction the state that it ends with.
    """
    config = weights.config
    input_weight, recurrent_weight = (
        graph.constant(_both_directions(weights, f"{kind}_l{layer}"), f"encoder.{kind}_l{layer}")
        for kind in ("weight_ih", "weight_hh")
    )
    bias = np.concatenate([_both_directions(weights, f"{kind}_l{layer}") for kind in ("bias_ih", "bias_hh")], axis=1)
    # PyTorch's GRU resets what the recurrent matrix returns, not what it reads.
    options = {"linear_before_reset": 1} if config.cell == "gru" else {}
    outputs, last = graph.nodes(
        config.cell.upper(),
        [x, input_weight, recurrent_weight, graph.constant(bias, f"encoder.bias_l{layer}"), lengths],
        2,  # [source, 2, requests, encoder_width] and [2, requests, encoder_width]
        direction="bidirectional",
        hidden_size=config.encoder_width,
        **options,
    )
    states = graph.node("Transpose", outputs, perm=[0, 2, 1, 3])
    states = graph.node("Reshape", states, graph.constant(np.array([0, 0, config.memory_width])))
    last = graph.node("Transpose", last, perm=[1, 0, 2])
    return states, graph.node("Reshape", last, graph.constant(np.array([-1, config.memory_width])))


def _both_directions(weights: RecurrentWeights, name: str) -> Float32Array:
    """A parameter of a layer with its gates in ONNX's order, float32 [2, gates x encoder_width, ...]."""
    both = np.stack([weights.weights[f"encoder.layers.{name}{suffix}"] for suffix in ("", "_reverse")])
    order = _GATES[weights.config.cell]
    gates = np.split(both, len(order), axis=1)
    return np.concatenate([gates[gate] for gate in order], axis=1)
