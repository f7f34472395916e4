"""What an architecture must provide so that its nets can be exported."""

from collections.abc import Sequence
from typing import Protocol, TypeGuard, runtime_checkable

from regard_export.descriptions.int8_weights import Int8Weight
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders, PrecisionBuilders
from regard_service.bundle import StateSpec, TensorSpec


class Architecture(Protocol):
    """A net with its weights, as the export sees it. The graphs follow the contract of `docs/bundle.md`."""

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        """The tensors that encode computes once and every step reads."""

    @property
    def state(self) -> tuple[StateSpec, ...]:
        """The tensors that each step passes to the next one."""

    @property
    def attention_layers(self) -> int:
        """Number of the step graph's outputs `cross_attention_L`."""

    @property
    def attention_heads(self) -> int:
        """Heads of each of them."""

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""

    def encode(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds encode.onnx."""

    def step(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds step.onnx."""


@runtime_checkable
class Traceable(Protocol):
    """An architecture with a graph that outputs every attention map, the encoder's and decoder's own included."""

    @property
    def encoder_layers(self) -> int:
        """Layers whose encoder self-attention the graph outputs; 0 if there is no such graph."""

    @property
    def encoder_heads(self) -> int:
        """Heads of each of them."""

    def trace(self, builders: PrecisionBuilders) -> BuiltGraph:
        """Builds trace.onnx."""


def has_trace(architecture: Architecture) -> TypeGuard[Traceable]:
    """Whether the architecture has a trace graph."""
    return isinstance(architecture, Traceable) and architecture.encoder_layers > 0


@runtime_checkable
class Listable(Protocol):
    """An architecture whose steps can choose among a list of words, a shortlist, instead of the whole vocabulary."""

    def select(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds select.onnx, which looks up the weights of a list of words."""

    def listed_step(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds listed_step.onnx, which reads these weights."""


@runtime_checkable
class Int8Checkpoint(Protocol):
    """An architecture whose checkpoint may hold its weights as 8-bit numbers, up to 127, which int8 graphs take."""

    @property
    def int8_weights(self) -> Sequence[Int8Weight]:
        """All weights, or none if the checkpoint holds floats."""

    def int8_builders(self) -> PrecisionBuilders:
        """Builders of int8 graphs with these weights."""


def has_int8_weights(architecture: Architecture) -> TypeGuard[Int8Checkpoint]:
    """Whether the checkpoint holds 8-bit numbers, so that int8 graphs need neither rounding nor calibration."""
    return isinstance(architecture, Int8Checkpoint) and len(architecture.int8_weights) > 0


class EncodingArchitecture(Protocol):
    """A net without a decoder. The graphs follow the contract of `docs/bundle.md`."""

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        """What the encode graph outputs: the answer."""

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""

    @property
    def encoder_layers(self) -> int:
        """Layers whose self-attention the trace graph outputs."""

    @property
    def encoder_heads(self) -> int:
        """Heads of each of them."""

    @property
    def query_layers(self) -> int:
        """Layers of which the trace graph outputs how queries attend to the source; 0 without queries."""

    @property
    def query_heads(self) -> int:
        """Heads of each of them."""

    def encode(self, builders: LayerBuilders) -> BuiltGraph:
        """Builds encode.onnx."""

    def trace(self, builders: PrecisionBuilders) -> BuiltGraph:
        """Builds trace.onnx, where there are layers of either kind."""


@runtime_checkable
class GatedArchitecture(Protocol):
    """A net without a decoder whose feature maps are gated; its trace graph outputs the gates."""

    @property
    def channel_layers(self) -> int:
        """Layers with gates of channels."""

    @property
    def channels(self) -> int:
        """Channels of each of them."""

    @property
    def spatial_layers(self) -> int:
        """Layers with gates of positions."""


def is_traced(architecture: EncodingArchitecture) -> bool:
    """Whether there is a trace graph: the net has layers of any kind whose attention it outputs."""
    gated = architecture.channel_layers + architecture.spatial_layers if has_gates(architecture) else 0
    return architecture.encoder_layers + architecture.query_layers + gated > 0


def has_gates(architecture: object) -> TypeGuard[GatedArchitecture]:
    """Whether the net gates its feature maps."""
    return isinstance(architecture, GatedArchitecture)


class SingleHeadAttention:
    """Cross-attention of one layer with one head, as recurrent decoders have it."""

    attention_layers = 1
    attention_heads = 1
