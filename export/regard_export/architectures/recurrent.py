"""The recurrent translator as an architecture that can be served."""

from dataclasses import dataclass

from regard_service.bundle import StateSpec, TensorSpec

from regard_export.architectures.recurrent_encode import build_encode
from regard_export.architectures.recurrent_step import build_step
from regard_export.descriptions.recurrent import RecurrentWeights
from regard_export.onnx_graph.contract import Graph
from regard_export.precision.quantize import Form


@dataclass(frozen=True)
class RecurrentArchitecture:
    """Either style, with any score and cell."""

    weights: RecurrentWeights

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        return self.weights.memory

    @property
    def state(self) -> tuple[StateSpec, ...]:
        return self.weights.state

    @property
    def attention_layers(self) -> int:
        return 1

    @property
    def attention_heads(self) -> int:
        return 1

    @property
    def nbytes(self) -> int:
        return sum(weight.nbytes for weight in self.weights.weights.values())

    def encode(self, form: Form) -> Graph:
        return build_encode(self.weights, form)

    def step(self, form: Form) -> Graph:
        return build_step(self.weights, form)
