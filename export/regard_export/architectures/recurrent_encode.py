"""encode.onnx of a recurrent translator: source tokens in; encoder states, keys and the decoder's first state out."""

import numpy as np
from regard_service.bundle import TensorSpec

from regard_export.architectures.recurrent_layer import Layer, recurrent_layer
from regard_export.descriptions.recurrent import INITIAL, INITIAL_CELL, KEYS, STATES, RecurrentWeights
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import SOURCE_LENGTHS, Graph
from regard_export.precision.quantize import Form


def build_encode(weights: RecurrentWeights, form: Form) -> Graph:
    """Draws the encoder."""
    graph, config = GraphBuilder("encode"), weights.config
    ids = graph.input(TensorSpec(name="source_ids", dtype="int64", shape=("tokens",)))
    to_packed = graph.input(TensorSpec(name="padded_to_packed", dtype="int64", shape=("requests", "source")))
    lengths = graph.input(SOURCE_LENGTHS)

    embedded = graph.node(
        "Gather", form.embed(graph, weights.source_table, ids), to_packed
    )  # [requests, source, width]
    x = graph.node("Transpose", embedded, perm=[1, 0, 2])  # [source, requests, width]
    layers: list[Layer] = []
    for layer in range(config.encoder_layers):
        layers.append(_layer(graph, weights, layer, layers[-1].states if layers else x, lengths))
    states = graph.node(
        "Transpose", layers[-1].states, output=STATES, perm=[1, 0, 2]
    )  # [requests, source, memory_width]
    if weights.has_keys:
        keys = form.linear(graph, states, weights.linear("decoder.attention.score.key"))
        graph.node("Identity", keys, output=KEYS)
    _start(graph, weights, form, layers)
    for spec in weights.memory:
        graph.output(spec)
    return Graph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))


def _start(graph: GraphBuilder, weights: RecurrentWeights, form: Form, layers: list[Layer]) -> None:
    """The decoder's first state, of all its cells side by side."""
    config, last = weights.config, layers[-1].last
    match config.start:
        case "bridge":
            last = graph.node("Tanh", form.linear(graph, last, weights.linear("encoder.bridge")))
            cells = [last] * config.decoder_layers
        case "last":
            cells = [last] * config.decoder_layers
        case "layers":
            cells = [layer.last for layer in layers]
        case "zero":
            cells = [graph.node("Mul", last, graph.constant(np.float32(0)))] * config.decoder_layers
    initial = graph.node("Concat", *cells, output=INITIAL, axis=-1)
    if config.starts_cell and config.start_cell == "hidden":
        graph.node("Identity", initial, output=INITIAL_CELL)
    elif config.starts_cell:
        graph.node("Concat", *(layer.last_cell for layer in layers), output=INITIAL_CELL, axis=-1)


def _layer(graph: GraphBuilder, weights: RecurrentWeights, number: int, x: str, lengths: str) -> Layer:
    """One layer of the encoder; values as `recurrent_layer` has them."""
    name = "encoder.layers"
    directions = [
        {
            kind: weights.weights[f"{name}.{kind}_l{number}{suffix}"]
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        for suffix in ("", "_reverse")[: weights.config.num_directions]
    ]
    return recurrent_layer(graph, weights.config.cell, directions, x, lengths, f"{name}.{number}")
