"""encode.onnx of a pointer-generator: source tokens in; states, keys, words to copy, the decoder's first state out."""

from regard.arrays import Float32Array
from regard_export.architectures.recurrent_layer import recurrent_layer
from regard_export.descriptions.pointer_generator import (
    FIRST_CELL,
    FIRST_HIDDEN,
    IDS,
    KEYS,
    STATES,
    WORDS,
    PointerGeneratorDescription,
)
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import SOURCE_LENGTHS, BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders
from regard_service.bundle import TensorSpec


def build_encode(description: PointerGeneratorDescription, builders: LayerBuilders) -> BuiltGraph:
    """Builds the encoder."""
    graph = GraphBuilder("encode")
    ids = graph.input(TensorSpec(name="source_ids", dtype="int64", shape=("tokens",)))
    words = graph.input(TensorSpec(name="source_words", dtype="int64", shape=("tokens",)))
    to_packed = graph.input(TensorSpec(name="padded_to_packed", dtype="int64", shape=("requests", "source")))
    lengths = graph.input(SOURCE_LENGTHS)

    table = description.weights["embedding.weight"]
    embedded = graph.node("Gather", builders.embed(graph, table, ids), to_packed)  # [requests, source, width]
    x = graph.node("Transpose", embedded, perm=[1, 0, 2])
    layer = recurrent_layer(graph, "lstm", _directions(description), x, lengths, "encoder")
    states = graph.node("Transpose", layer.states, output=STATES, perm=[1, 0, 2])
    keys = builders.linear(graph, states, description.linear("attention.score.key"))
    graph.node("Identity", keys, output=KEYS)
    graph.node("Gather", ids, to_packed, output=IDS)
    graph.node("Gather", words, to_packed, output=WORDS)
    for name in (FIRST_HIDDEN, FIRST_CELL):
        graph.node("Tanh", builders.linear(graph, layer.last, description.linear(name)), output=name)
    for spec in description.memory:
        graph.output(spec)
    return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))


def _directions(description: PointerGeneratorDescription) -> tuple[dict[str, Float32Array], dict[str, Float32Array]]:
    forwards, backwards = (
        {kind: description.weights[f"{name}.{kind}_l0"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        for name in ("forwards", "backwards")
    )
    return forwards, backwards
