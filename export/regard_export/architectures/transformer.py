"""The encoder-decoder transformer."""

from dataclasses import dataclass

from regard_export.architectures.transformer_encode import TextEncoder, build_encode
from regard_export.architectures.transformer_step import build_step
from regard_export.architectures.transformer_tensors import TransformerDecoderTensors
from regard_export.architectures.transformer_trace import build_trace
from regard_export.architectures.word_selection import build_transformer_select
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders, PrecisionBuilders
from regard_models.nets.transformer_config import TransformerConfig


@dataclass(frozen=True)
class TransformerArchitecture(TransformerDecoderTensors):
    """Every family whose checkpoints map to a `TransformerDescription`."""

    description: TransformerDescription

    @property
    def decoder_config(self) -> TransformerConfig:
        """The config of both sides."""
        return self.description.config

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return self.description.nbytes

    def encode(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds encode.onnx."""
        return build_encode(self.description, builders)

    def step(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds step.onnx."""
        return build_step(self.description, builders)

    def listed_step(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds listed_step.onnx."""
        return build_step(self.description, builders, is_listed=True)

    def select(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds select.onnx."""
        return build_transformer_select(self.description, builders)

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
        return build_trace(TextEncoder(self.description), self.description, builders)
