"""An encoder of any kind in front of a transformer's decoder."""

from dataclasses import dataclass
from typing import Protocol

from regard_service.bundle import StateSpec, TensorSpec

from regard_export.architectures.transformer_stack import Stack
from regard_export.architectures.transformer_step import build_step
from regard_export.architectures.transformer_trace import TracedEncoder, build_trace
from regard_export.descriptions.transformer import DecoderDescription
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import Encoded, Graph, memory_specs, state_specs
from regard_export.precision.quantize import Form, Forms


class Encoder(TracedEncoder, Protocol):
    """An encoder with its weights."""

    @property
    def max_positions(self) -> int:
        """Of the longest source."""

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""

    def draw(self, graph: GraphBuilder, form: Form) -> Encoded:
        """Draws it with the inputs that it needs."""


@dataclass(frozen=True)
class EncoderDecoderArchitecture:
    """The decoder's cross-attention reads the encoder's states, `memory_width` of the decoder's config wide."""

    encoder: Encoder
    decoder: DecoderDescription

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        return memory_specs(self.decoder.config)

    @property
    def state(self) -> tuple[StateSpec, ...]:
        return state_specs(self.decoder.config)

    @property
    def attention_layers(self) -> int:
        return self.decoder.config.decoder_layers

    @property
    def attention_heads(self) -> int:
        return self.decoder.config.num_heads

    @property
    def nbytes(self) -> int:
        return self.encoder.nbytes + sum(weight.nbytes for weight in self.decoder.weights.values())

    def encode(self, form: Form) -> Graph:
        graph = GraphBuilder("encode")
        encoded = self.encoder.draw(graph, form)
        reader = Stack(graph, self.decoder, form)
        projected = reader.project_memory(encoded.states)
        if encoded.padded_to_packed is not None:
            projected = graph.node("Gather", projected, encoded.padded_to_packed)
        reader.memory_outputs(projected)
        return Graph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))

    def step(self, form: Form) -> Graph:
        return build_step(self.decoder, form, max_source_positions=self.encoder.max_positions)

    @property
    def encoder_layers(self) -> int:
        return self.encoder.traced_layers

    @property
    def encoder_heads(self) -> int:
        return self.encoder.traced_heads

    def trace(self, forms: Forms) -> Graph:
        return build_trace(self.encoder, self.decoder, forms)
