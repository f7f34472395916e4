"""A model without a decoder: an encoder of any kind, and a head."""

from dataclasses import dataclass

from regard_export.architectures.encoder import Encoder
from regard_export.architectures.output_heads import Head
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders, PrecisionBuilders
from regard_service.bundle import TensorSpec


@dataclass(frozen=True)
class EncoderOnlyArchitecture:
    """An encoder with a head, see `EncodingArchitecture`."""

    encoder: Encoder
    head: Head

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        """The head's outputs: what encode returns is the answer."""
        return self.head.outputs

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return self.encoder.nbytes + self.head.nbytes

    def encode(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds encode.onnx: the encoder, then the head."""
        graph = GraphBuilder("encode")
        self.head.add_to(graph, builders, self.encoder.add_to(graph, builders))
        return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))

    @property
    def encoder_layers(self) -> int:
        """Layers that the trace graph outputs."""
        return self.encoder.traced_layers

    @property
    def encoder_heads(self) -> int:
        """Heads of each of them."""
        return self.encoder.traced_heads

    @property
    def query_layers(self) -> int:
        """0: there are no queries."""
        return 0

    @property
    def query_heads(self) -> int:
        """0."""
        return 0

    def trace(self, builders: PrecisionBuilders) -> BuiltGraph:
        """Builds trace.onnx: the encoder's attention."""
        graph = GraphBuilder("trace")
        self.encoder.add_traced_to(graph, builders.encode)
        return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))
