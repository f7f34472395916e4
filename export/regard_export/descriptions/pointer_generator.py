"""A pointer-generator's config and weights, and the tensors that its graphs exchange."""

from dataclasses import dataclass

import numpy as np

from regard_export.descriptions.layers import Linear, Weights
from regard_models.nets.pointer_generator import PointerGeneratorConfig
from regard_service.bundle import StateSpec, TensorSpec

# Names of the memory and of the state.
STATES, KEYS, IDS, WORDS = "encoder_states", "keys", "padded_ids", "padded_words"
FIRST_HIDDEN, FIRST_CELL = "first_hidden", "first_cell"
HIDDEN, CELL, CONTEXT, COVERAGE = "hidden", "cell", "context", "coverage"


@dataclass(frozen=True)
class PointerGeneratorDescription:
    """A pointer-generator's config and weights.

    Attributes:
        weights: float32, by the parameter names of `PointerGeneratorNetwork`; the tied "head.weight" is left out.
    """

    config: PointerGeneratorConfig
    weights: Weights

    def linear(self, name: str) -> Linear:
        """The linear layer of this name."""
        return Linear.of(self.weights, name)

    @property
    def head(self) -> Linear:
        """The projection to the vocabulary; special tokens other than the end have a bias of minus infinity."""
        bias = self.weights["head.bias"].copy()
        is_banned = np.arange(self.config.num_special) != self.config.end_id
        bias[: self.config.num_special][is_banned] = -np.inf
        return Linear("embedding", self.weights["embedding.weight"], bias)

    @property
    def memory_width(self) -> int:
        """Width of the encoder's states, both directions together."""
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
        """The LSTM's state, the last context, which is fed to the cell, and the coverage; zeros at first."""
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
