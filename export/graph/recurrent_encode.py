"""encode.onnx of a recurrent translator: source tokens in; encoder states, keys and the decoder's first state out."""

from export.graph.bidirectional import bidirectional
from export.graph.builder import GraphBuilder
from export.graph.contract import SOURCE_LENGTHS, Graph
from export.graph.recurrent_weights import INITIAL, KEYS, STATES, RecurrentWeights
from export.quantize import Form
from models.bundle import TensorSpec


def build_encode(weights: RecurrentWeights, form: Form) -> Graph:
    """Draws the encoder."""
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
    """One layer of the encoder; values as `bidirectional` has them."""
    name = "encoder.layers"
    forwards, backwards = (
        {
            kind: weights.weights[f"{name}.{kind}_l{layer}{suffix}"]
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        for suffix in ("", "_reverse")
    )
    return bidirectional(graph, weights.config.cell, (forwards, backwards), x, lengths, f"{name}.{layer}")
