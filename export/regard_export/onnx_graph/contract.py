"""The tensors that every step graph exchanges with the server (`docs/bundle.md`), and a finished graph with its own."""

from dataclasses import dataclass

import numpy as np
import onnx

from regard_service.bundle import TensorSpec

# Inputs that a step graph of any architecture may read beside its memory and state.
TOKENS = TensorSpec(name="tokens", dtype="int64", shape=("slots",))
LENGTHS = TensorSpec(name="lengths", dtype="int32", shape=("slots",))
TOTAL_LENGTH = TensorSpec(name="total_length", dtype="int32", shape=())
SOURCE_LENGTHS = TensorSpec(name="source_lengths", dtype="int32", shape=("requests",))
NUM_CANDIDATES = TensorSpec(name="num_candidates", dtype="int64", shape=(1,))

# Masks attention scores: exp() of it beside any real score is exactly 0, and a fully masked row stays finite.
MASKED_SCORE = np.float32(-1e30)


@dataclass(frozen=True)
class BuiltGraph:
    """A finished graph with the names, types and shapes that the manifest states."""

    model: onnx.ModelProto
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
