"""encode.onnx of a recurrent translator: source tokens in; encoder states, keys and the decoder's initial state out."""

import numpy as np

from regard_export.architectures.recurrent_layer import RecurrentLayerOutput, recurrent_layer
from regard_export.descriptions.recurrent import (
    CELL_PARAMETERS,
    INITIAL_CELL,
    INITIAL_STATE,
    KEYS,
    STATES,
    RecurrentDescription,
)
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import SOURCE_LENGTHS, BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders
from regard_service.bundle import TensorSpec


def build_encode(description: RecurrentDescription, builders: LayerBuilders) -> BuiltGraph:
    """Builds the encoder."""
    graph = GraphBuilder("encode")
    ids = graph.input(TensorSpec(name="source_ids", dtype="int64", shape=("tokens",)))
    to_packed = graph.input(TensorSpec(name="padded_to_packed", dtype="int64", shape=("requests", "source")))
    lengths = graph.input(SOURCE_LENGTHS)

    packed = builders.embed(graph, description.scaled_source_embedding, ids)
    embedded = graph.node("Gather", packed, to_packed)  # [requests, source, width]
    x = graph.node("Transpose", embedded, perm=[1, 0, 2])  # [source, requests, width]
    layers: list[RecurrentLayerOutput] = []
    for layer in range(description.config.encoder_layers):
        layers.append(_layer(graph, description, layer, layers[-1].states if layers else x, lengths))
    # [requests, source, memory_width]
    states = graph.node("Transpose", layers[-1].states, output=STATES, perm=[1, 0, 2])
    if description.has_keys:
        keys = builders.linear(graph, states, description.linear("decoder.attention.score.key"))
        graph.node("Identity", keys, output=KEYS)
    _initial_state(graph, description, builders, layers)
    for spec in description.memory:
        graph.output(spec)
    return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))


def _initial_state(
    graph: GraphBuilder, description: RecurrentDescription, builders: LayerBuilders, layers: list[RecurrentLayerOutput]
) -> None:
    """Adds the decoder's initial state, that of all its cells concatenated."""
    config, last = description.config, layers[-1].last
    match config.start:
        case "bridge":
            last = graph.node("Tanh", builders.linear(graph, last, description.linear("encoder.bridge")))
            cells = [last] * config.decoder_layers
        case "last":
            cells = [last] * config.decoder_layers
        case "layers":
            cells = [layer.last for layer in layers]
        case "zero":
            cells = [graph.node("Mul", last, graph.constant(np.float32(0)))] * config.decoder_layers
    initial = graph.node("Concat", *cells, output=INITIAL_STATE, axis=-1)
    if config.starts_cell and config.start_cell == "hidden":
        graph.node("Identity", initial, output=INITIAL_CELL)
    elif config.starts_cell:
        graph.node("Concat", *(layer.last_cell for layer in layers), output=INITIAL_CELL, axis=-1)


def _layer(
    graph: GraphBuilder, description: RecurrentDescription, number: int, x: str, lengths: str
) -> RecurrentLayerOutput:
    """Adds one layer of the encoder; shapes as in `recurrent_layer`."""
    name = "encoder.layers"
    directions = [
        {kind: description.weights[f"{name}.{kind}_l{number}{suffix}"] for kind in CELL_PARAMETERS}
        for suffix in ("", "_reverse")[: description.config.num_directions]
    ]
    return recurrent_layer(graph, description.config.cell, directions, x, lengths, f"{name}.{number}")
