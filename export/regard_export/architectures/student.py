"""Marian's transformers, the students of the Bergamot project among them."""

from collections.abc import Sequence
from dataclasses import dataclass

from regard_export.architectures.student_step import StudentStepGraph, student_state, with_checkpoint_int8
from regard_export.architectures.student_trace import build_student_trace
from regard_export.architectures.transformer_encode import TextEncoder, build_encode
from regard_export.architectures.transformer_stack import TransformerStack
from regard_export.architectures.transformer_tensors import TransformerDecoderTensors
from regard_export.architectures.word_selection import build_select
from regard_export.descriptions.int8_weights import Int8Weight
from regard_export.descriptions.student import StudentDescription
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.checkpoint_int8 import checkpoint_int8_builders
from regard_export.precision.layer_builders import LayerBuilders, PrecisionBuilders
from regard_models.nets.transformer_config import TransformerConfig
from regard_service.bundle import StateSpec


@dataclass(frozen=True)
class StudentArchitecture(TransformerDecoderTensors):
    """The encoder is a transformer's; the decoder's state is a vector per SSRU layer, or a transformer's caches."""

    description: StudentDescription

    @property
    def decoder_config(self) -> TransformerConfig:
        """The config of both sides."""
        return self.description.config

    @property
    def state(self) -> tuple[StateSpec, ...]:
        """Vectors of SSRU layers, or self KV caches."""
        return student_state(self.description)

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return self.description.nbytes

    def encode(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds encode.onnx."""
        return build_encode(self.description, builders)

    def step(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds step.onnx."""
        return StudentStepGraph(self.description, builders).build()

    def listed_step(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds listed_step.onnx."""
        return StudentStepGraph(self.description, builders, is_listed=True).build()

    def select(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds select.onnx."""
        stack = TransformerStack(GraphBuilder("select"), self.description, builders)
        projection = with_checkpoint_int8(stack.projection, self.description, stack.embedding_scale)
        return build_select(stack.graph, projection, builders)

    @property
    def encoder_layers(self) -> int:
        """Layers that the trace graph outputs."""
        return TextEncoder(self.description).traced_layers

    @property
    def encoder_heads(self) -> int:
        """Heads of each of them."""
        return TextEncoder(self.description).traced_heads

    def trace(self, builders: PrecisionBuilders) -> BuiltGraph:
        """Builds trace.onnx."""
        return build_student_trace(self.description, builders)

    @property
    def int8_weights(self) -> Sequence[Int8Weight]:
        """All matrices, or none: a checkpoint that holds some of them as floats is quantized as others are."""
        int8 = self.description.int8
        matrices = {name.removesuffix(".weight") for name, x in self.description.weights.items() if x.ndim == 2}
        return tuple(int8.values()) if matrices <= int8.keys() else ()

    def int8_builders(self) -> PrecisionBuilders:
        """Builders of int8 graphs with the checkpoint's own numbers."""
        scale = self.description.config.width**0.5
        return checkpoint_int8_builders([table.scaled(scale) for table in self.description.int8_tables])
