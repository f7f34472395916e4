"""The recurrent translator of Bahdanau et al. (2015) and Luong et al. (2015)."""

from dataclasses import dataclass

from regard_export.architectures.architecture import SingleHeadAttention
from regard_export.architectures.recurrent_encode import build_encode
from regard_export.architectures.recurrent_step import build_step
from regard_export.descriptions.recurrent import RecurrentDescription
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders
from regard_service.bundle import StateSpec, TensorSpec


@dataclass(frozen=True)
class RecurrentArchitecture(SingleHeadAttention):
    """Either style of decoder, with any score and cell."""

    description: RecurrentDescription

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
