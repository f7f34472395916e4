"""The tensors that encode and step exchange with the server (`docs/bundle.md`), and a transformer's among them."""

from dataclasses import dataclass

import numpy as np
import onnx
from regard_models.nets.transformer import TransformerConfig
from regard_service.bundle import StateSpec, TensorSpec

# What a step graph of any architecture may read, beside its memory and state.
TOKENS = TensorSpec(name="tokens", dtype="int64", shape=("slots",))
LENGTHS = TensorSpec(name="lengths", dtype="int32", shape=("slots",))
TOTAL_LENGTH = TensorSpec(name="total_length", dtype="int32", shape=())
SOURCE_LENGTHS = TensorSpec(name="source_lengths", dtype="int32", shape=("requests",))
NUM_CANDIDATES = TensorSpec(name="num_candidates", dtype="int64", shape=(1,))

# exp() of it beside any real score is exactly 0, and a row of nothing else stays finite.
HIDDEN_SCORE = np.float32(-1e30)


@dataclass(frozen=True)
class Graph:
    """A finished graph with the names, types and shapes that the manifest states."""

    model: onnx.ModelProto
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True)
class Encoded:
    """What an encoder drew.

    Attributes:
        states: [requests, source, width], or with `padded_to_packed` [tokens, width].
        padded_to_packed: where each position of the padded layout stands, int64 [requests, source].
    """

    states: str
    padded_to_packed: str | None = None


def memory_specs(config: TransformerConfig) -> tuple[TensorSpec, ...]:
    """Keys and values of cross-attention, a pair a decoder layer; the keys stand ready for q K^T."""
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
    """The caches of self-attention, which a step writes in place."""
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
