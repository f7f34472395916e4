"""trace.onnx: one pass over a source and a finished output that returns every attention map.

Serving does not draw self-attention's weights, which would cost every step; whoever asks for them gets this pass.
"""

from typing import Protocol

import numpy as np
from regard_service.bundle import TensorSpec

from regard_export.architectures.traced_layers import TracedLayers
from regard_export.descriptions.transformer import Description
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import Graph
from regard_export.precision.quantize import Form, Forms


class TracedEncoder(Protocol):
    """An encoder that shows its self-attention."""

    @property
    def traced_layers(self) -> int:
        """Layers whose self-attention it shows; 0 means that it has none to show."""

    @property
    def traced_heads(self) -> int:
        """Heads of each of them."""

    def draw_traced(self, graph: GraphBuilder, form: Form) -> str:
        """Draws it for one source, with the input that it needs; returns its states, [source, width]."""


def build_trace(encoder: TracedEncoder, decoder: Description, forms: Forms) -> Graph:
    """Draws encoder and decoder over whole sequences, one source and one target."""
    graph = GraphBuilder("trace")
    states = encoder.draw_traced(graph, forms.encode)
    target = graph.input(TensorSpec(name="target_ids", dtype="int64", shape=("target",)))
    memory = TracedLayers(graph, decoder, forms.encode, "decoder").memory(states)  # as encode projects it
    layers = TracedLayers(graph, decoder, forms.step, "decoder")
    table = decoder.embedding * np.float32(layers.embedding_scale)
    layers.decode(layers.embed("decoder", table, target, layers.positions(target)), target, memory)
    return Graph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))
