"""The seam between a trained net and its bundle: what an architecture must tell and draw to be served."""

from typing import Protocol, runtime_checkable

from regard_service.bundle import StateSpec, TensorSpec

from regard_export.onnx_graph.contract import Graph
from regard_export.precision.quantize import Form, Forms


class Architecture(Protocol):
    """A net with its weights, as the export sees it. The graphs follow the contract of `docs/bundle.md`."""

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        """What encode hands to every step."""

    @property
    def state(self) -> tuple[StateSpec, ...]:
        """What a step hands to the next one."""

    @property
    def attention_layers(self) -> int:
        """Outputs `cross_attention_L` of the step graph."""

    @property
    def attention_heads(self) -> int:
        """Heads of each of them."""

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""

    def encode(self, form: Form) -> Graph:
        """Draws encode.onnx."""

    def step(self, form: Form) -> Graph:
        """Draws step.onnx."""


@runtime_checkable
class Traceable(Protocol):
    """An architecture that has more attention to show than its steps tell."""

    @property
    def encoder_layers(self) -> int:
        """Layers of the encoder's self-attention that it shows; without any there is no trace."""

    @property
    def encoder_heads(self) -> int:
        """Heads of each of them."""

    def trace(self, forms: Forms) -> Graph:
        """Draws trace.onnx."""


def as_traceable(architecture: Architecture) -> Traceable | None:
    """The architecture, if there is anything to trace."""
    return architecture if isinstance(architecture, Traceable) and architecture.encoder_layers else None
