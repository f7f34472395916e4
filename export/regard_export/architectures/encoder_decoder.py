"""An encoder of any kind with a transformer's decoder."""

from dataclasses import dataclass

from regard_export.architectures.encoder import Encoder
from regard_export.architectures.transformer_stack import TransformerStack
from regard_export.architectures.transformer_step import build_step
from regard_export.architectures.transformer_tensors import TransformerDecoderTensors
from regard_export.architectures.transformer_trace import build_trace
from regard_export.architectures.word_selection import build_transformer_select
from regard_export.descriptions.transformer import DecoderDescription
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders, PrecisionBuilders
from regard_models.nets.transformer_config import TransformerConfig


@dataclass(frozen=True)
class EncoderDecoderArchitecture(TransformerDecoderTensors):
    """The decoder's cross-attention reads the encoder's states, which are `memory_width` of its config wide."""

    encoder: Encoder
    decoder: DecoderDescription

    @property
    def decoder_config(self) -> TransformerConfig:
        """The config of the decoder."""
        return self.decoder.config

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return self.encoder.nbytes + self.decoder.nbytes

    def encode(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds encode.onnx: the encoder, then the keys and values of the decoder's cross-attention."""
        graph = GraphBuilder("encode")
        output = self.encoder.add_to(graph, builders)
        decoder = TransformerStack(graph, self.decoder, builders)
        projected = decoder.project_memory(output.states)
        if output.padded_to_packed is not None:
            projected = graph.node("Gather", projected, output.padded_to_packed)
        decoder.output_memory(projected)
        return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))

    def step(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds step.onnx."""
        return build_step(self.decoder, builders, max_source_positions=self.encoder.max_positions)

    def listed_step(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds listed_step.onnx."""
        return build_step(self.decoder, builders, max_source_positions=self.encoder.max_positions, is_listed=True)

    def select(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds select.onnx."""
        return build_transformer_select(self.decoder, builders)

    @property
    def encoder_layers(self) -> int:
        """Layers that the trace graph outputs."""
        return self.encoder.traced_layers

    @property
    def encoder_heads(self) -> int:
        """Heads of each of them."""
        return self.encoder.traced_heads

    def trace(self, builders: PrecisionBuilders) -> BuiltGraph:
        """Builds trace.onnx."""
        return build_trace(self.encoder, self.decoder, builders)
