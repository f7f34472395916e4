"""The pointer-generator network (See et al. 2017)."""

from dataclasses import dataclass

from regard_export.architectures.architecture import SingleHeadAttention
from regard_export.architectures.pointer_generator_encode import build_encode
from regard_export.architectures.pointer_generator_step import build_step
from regard_export.descriptions.pointer_generator import PointerGeneratorDescription
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders
from regard_service.bundle import StateSpec, TensorSpec


@dataclass(frozen=True)
class PointerGeneratorArchitecture(SingleHeadAttention):
    """Its one attention also decides which words of the source are copied."""

    description: PointerGeneratorDescription

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        """The tensors that encode passes to every step."""
        return self.description.memory

    @property
    def state(self) -> tuple[StateSpec, ...]:
        """The tensors that a step passes to the next one."""
        return self.description.state

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return sum(weight.nbytes for weight in self.description.weights.values())

    def encode(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds encode.onnx."""
        return build_encode(self.description, builders)

    def step(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds step.onnx."""
        return build_step(self.description, builders)
