"""The tensors that a transformer's graphs exchange: the memory, the state, and an encoder's output within encode."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from regard_models.nets.transformer_config import TransformerConfig
from regard_service.bundle import StateSpec, TensorSpec


@dataclass(frozen=True)
class EncoderOutput:
    """Names of the values that an encoder added to a graph.

    Attributes:
        states: float32 [requests, source, width], or with `padded_to_packed` [tokens, width].
        padded_to_packed: int64 [requests, source], the packed index of each padded position.
    """

    states: str
    padded_to_packed: str | None = None


def memory_specs(config: TransformerConfig) -> tuple[TensorSpec, ...]:
    """Cross-attention's keys and values, a pair per decoder layer; keys are transposed, ready for q K^T."""
    heads, head_width = config.num_heads, config.width_of_head
    return tuple(
        spec
        for layer in range(config.decoder_layers)
        for spec in (
            TensorSpec(name=f"cross_key_{layer}", dtype="float32", shape=("requests", heads, head_width, "source")),
            TensorSpec(name=f"cross_value_{layer}", dtype="float32", shape=("requests", heads, "source", head_width)),
        )
    )


def state_specs(config: TransformerConfig) -> tuple[StateSpec, ...]:
    """The self KV caches, which a step updates in place."""
    shape = ("slots", config.num_heads, "capacity", config.width_of_head)
    return tuple(
        StateSpec(
            input=TensorSpec(name=f"self_{kind}_{layer}", dtype="float32", shape=shape),
            output=f"present_{kind}_{layer}",
            in_place=True,
        )
        for layer in range(config.decoder_layers)
        for kind in ("key", "value")
    )


class TransformerDecoderTensors(ABC):
    """The tensors of an architecture whose decoder is a transformer's, see `Architecture`."""

    @property
    @abstractmethod
    def decoder_config(self) -> TransformerConfig:
        """The config of the decoder's layers."""

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        """Keys and values of cross-attention."""
        return memory_specs(self.decoder_config)

    @property
    def state(self) -> tuple[StateSpec, ...]:
        """The self KV caches."""
        return state_specs(self.decoder_config)

    @property
    def attention_layers(self) -> int:
        """Layers of cross-attention."""
        return self.decoder_config.decoder_layers

    @property
    def attention_heads(self) -> int:
        """Heads of each layer."""
        return self.decoder_config.num_heads
