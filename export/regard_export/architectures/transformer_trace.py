"""trace.onnx: one pass over a source and a given output, with every attention map and the output's log-probabilities.

Step graphs do not output the weights of self-attention, which would slow down every step. A request for them runs
this pass instead; so do calls that score given outputs. A run computes only the outputs that it fetches.
"""

from regard_export.architectures.encoder import TracedEncoder
from regard_export.architectures.traced_layers import TracedLayers
from regard_export.descriptions.transformer_weights import TransformerWeights
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.layer_builders import PrecisionBuilders
from regard_service.bundle import TensorSpec


def build_trace(encoder: TracedEncoder, decoder: TransformerWeights, builders: PrecisionBuilders) -> BuiltGraph:
    """Builds encoder and decoder over whole sequences, one source and one target."""
    graph = GraphBuilder("trace")
    states = encoder.add_traced_to(graph, builders.encode)
    target = graph.input(TensorSpec(name="target_ids", dtype="int64", shape=("target",)))
    memory = TracedLayers(graph, decoder, builders.encode, "decoder").memory(states)  # projected as in encode.onnx
    layers = TracedLayers(graph, decoder, builders.step, "decoder")
    states = layers.decode(layers.embed("decoder", layers.table, target, layers.positions(target)), target, memory)
    layers.output_logprobs(states)
    return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))
