"""A pointer-generator's weights as its graphs need them, and the tensors that the graphs exchange."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from regard_models.nets.pointer_generator import PointerGeneratorConfig
from regard_service.bundle import StateSpec, TensorSpec

from regard.arrays import Float32Array
from regard_export.precision.quantize import Linear

STATES, KEYS, IDS, WORDS = "encoder_states", "keys", "padded_ids", "padded_words"
FIRST_HIDDEN, FIRST_CELL = "first_hidden", "first_cell"
HIDDEN, CELL, CONTEXT, COVERAGE = "hidden", "cell", "context", "coverage"


@dataclass(frozen=True)
class PointerWeights:
    """An architecture and its weights.

    Attributes:
        weights: float32, by the parameter names of `PointerGeneratorNetwork`, without "head.weight", which is the
            embedding table.
    """

    config: PointerGeneratorConfig
    weights: Mapping[str, Float32Array]

    def linear(self, name: str) -> Linear:
        return Linear(name, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    @property
    def head(self) -> Linear:
        """The projection to the vocabulary; special tokens but the end have a logit of minus infinity."""
        bias = self.weights["head.bias"].copy()
        silent = np.arange(self.config.num_special) != self.config.end_id
        bias[: self.config.num_special][silent] = -np.inf
        return Linear("embedding", self.weights["embedding.weight"], bias)

    @property
    def memory_width(self) -> int:
        """Both directions of the encoder."""
        return 2 * self.config.encoder_width

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        """The encoder's states with their keys, the words to copy, and the decoder's first state."""
        config = self.config
        states = {STATES: self.memory_width, KEYS: config.attention_width}
        return (
            *(TensorSpec(name=n, dtype="float32", shape=("requests", "source", w)) for n, w in states.items()),
            *(TensorSpec(name=name, dtype="int64", shape=("requests", "source")) for name in (IDS, WORDS)),
            *(
                TensorSpec(name=name, dtype="float32", shape=("requests", config.decoder_width))
                for name in (FIRST_HIDDEN, FIRST_CELL)
            ),
        )

    @property
    def state(self) -> tuple[StateSpec, ...]:
        """h, c, the last context, which is fed to the cell, and the coverage; zeros before the first position."""
        width = self.config.decoder_width
        axes: dict[str, int | str] = {HIDDEN: width, CELL: width, CONTEXT: self.memory_width, COVERAGE: "source"}
        return tuple(
            StateSpec(
                input=TensorSpec(name=name, dtype="float32", shape=("slots", axis)),
                output=f"next_{name}",
                in_place=False,
            )
            for name, axis in axes.items()
        )
