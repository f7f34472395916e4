"""A vision transformer that finds objects with tokens of its own (Fang et al. 2021, "You Only Look at One Sequence").

Detection tokens are positions of the encoder. How they attend to the picture are rows of its self-attention.
"""

from dataclasses import dataclass

import numpy as np

from regard_export.architectures.encoder_only import EncoderOnlyArchitecture
from regard_export.architectures.output_heads import Head
from regard_export.architectures.transformer_tensors import EncoderOutput
from regard_export.architectures.vision_transformer import VisionEncoder
from regard_export.descriptions.layers import Linear
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.float_layers import float_linear
from regard_export.precision.layer_builders import LayerBuilders, PrecisionBuilders
from regard_service.bundle import BOX_LOGITS, BOXES, TensorSpec


@dataclass(frozen=True)
class DetectionTokensHead(Head):
    """Two nets over the states of the detection tokens; float32 in every precision.

    Attributes:
        labels, boxes: layers, with ReLU between them; boxes end with the logistic function.
        first, number: which positions the tokens have.
    """

    labels: tuple[Linear, ...]
    boxes: tuple[Linear, ...]
    first: int
    number: int

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Logits and boxes of the tokens."""
        shape = ("requests", self.number, len(self.labels[-1].weight))
        return (
            TensorSpec(name=BOX_LOGITS, dtype="float32", shape=shape),
            TensorSpec(name=BOXES, dtype="float32", shape=("requests", self.number, 4)),
        )

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return sum(layer.weight.nbytes for layer in (*self.labels, *self.boxes))

    def add_to(self, graph: GraphBuilder, builders: LayerBuilders, encoded: EncoderOutput) -> None:
        """Adds both nets."""
        states = slice_axis(graph, encoded.states, self.first, self.number, axis=1)
        logits, boxes = _layers(graph, states, self.labels), graph.node("Sigmoid", _layers(graph, states, self.boxes))
        for value, spec in zip((logits, boxes), self.outputs, strict=True):
            graph.node("Identity", value, output=spec.name)
            graph.output(spec)


@dataclass(frozen=True)
class DetectionTokensArchitecture(EncoderOnlyArchitecture):
    """The encoder and the head, see `EncodingArchitecture`."""

    encoder: VisionEncoder
    head: DetectionTokensHead

    @property
    def query_layers(self) -> int:
        """All layers of the encoder."""
        return self.encoder.traced_layers

    @property
    def query_heads(self) -> int:
        """Heads of each of them."""
        return self.encoder.traced_heads

    def trace(self, builders: PrecisionBuilders) -> BuiltGraph:
        """Builds trace.onnx: the encoder's attention, and once more that of the detection tokens."""
        graph = GraphBuilder("trace")
        self.encoder.add_traced_to(graph, builders.encode)
        heads, source = self.query_heads, self.encoder.max_positions
        for layer in range(self.query_layers):
            rows = slice_axis(graph, f"encoder_attention_{layer}", self.head.first, self.head.number, axis=1)
            for value, name, shape in (
                (rows, f"cross_attention_{layer}", (heads, self.head.number, source)),
                (f"encoder_value_norm_{layer}", f"cross_value_norm_{layer}", (heads, source)),
            ):
                graph.node("Identity", value, output=name)
                graph.output(TensorSpec(name=name, dtype="float32", shape=shape))
        return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))


def slice_axis(graph: GraphBuilder, x: str, first: int, number: int, *, axis: int) -> str:
    """Adds a part of an axis."""
    return graph.node("Slice", x, *(graph.constant(np.array([each])) for each in (first, first + number, axis)))


def _layers(graph: GraphBuilder, x: str, layers: tuple[Linear, ...]) -> str:
    for index, layer in enumerate(layers):
        x = float_linear(graph, x, layer)
        x = graph.node("Relu", x) if index + 1 < len(layers) else x
    return x
