"""The encoder-decoder transformer as an architecture that can be served."""

from dataclasses import dataclass

from regard_service.bundle import StateSpec, TensorSpec

from regard_export.architectures.transformer_encode import TextEncoder, build_encode
from regard_export.architectures.transformer_step import build_step
from regard_export.architectures.transformer_trace import build_trace
from regard_export.descriptions.transformer import Description
from regard_export.onnx_graph.contract import Graph, memory_specs, state_specs
from regard_export.precision.quantize import Form, Forms


@dataclass(frozen=True)
class TransformerArchitecture:
    """Whatever a family maps to a description."""

    description: Description

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        return memory_specs(self.description.config)

    @property
    def state(self) -> tuple[StateSpec, ...]:
        return state_specs(self.description.config)

    @property
    def attention_layers(self) -> int:
        return self.description.config.decoder_layers

    @property
    def attention_heads(self) -> int:
        return self.description.config.num_heads

    @property
    def nbytes(self) -> int:
        return sum(weight.nbytes for weight in self.description.weights.values())

    def encode(self, form: Form) -> Graph:
        return build_encode(self.description, form)

    def step(self, form: Form) -> Graph:
        return build_step(self.description, form)

    @property
    def encoder_layers(self) -> int:
        return TextEncoder(self.description).traced_layers

    @property
    def encoder_heads(self) -> int:
        return TextEncoder(self.description).traced_heads

    def trace(self, forms: Forms) -> Graph:
        return build_trace(TextEncoder(self.description), self.description, forms)
