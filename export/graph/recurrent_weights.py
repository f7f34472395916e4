"""A recurrent translator's weights as its graphs need them, and the tensors that the graphs exchange."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from export.quantize import Float32Array, Linear
from models.bundle import StateSpec, TensorSpec
from models.nets.recurrent import RecurrentConfig

STATES, KEYS, INITIAL = "encoder_states", "keys", "initial_state"
HIDDEN, CELL, READOUT = "hidden", "cell", "readout"


@dataclass(frozen=True)
class RecurrentWeights:
    """An architecture and its weights.

    Attributes:
        weights: float32, by the parameter names of `RecurrentTranslator`, without "head.weight", which is the
            embedding table.
    """

    config: RecurrentConfig
    weights: Mapping[str, Float32Array]

    def linear(self, name: str) -> Linear:
        return Linear(name, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    @property
    def embedding_scale(self) -> float:
        return float(self.config.width**0.5)

    @property
    def table(self) -> Float32Array:
        """The embedding table with its scale, float32 [vocabulary, width]."""
        return self.weights["embedding.weight"] * np.float32(self.embedding_scale)

    @property
    def has_keys(self) -> bool:
        """Whether the score compares with something other than the encoder's states."""
        return self.config.score in ("general", "additive")

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        """The encoder's states, what the score makes of them, and the decoder's first state."""
        config = self.config
        key_width = config.score_width if config.score == "additive" else config.decoder_width
        widths = {STATES: config.memory_width, **({KEYS: key_width} if self.has_keys else {})}
        return (
            *(TensorSpec(name=n, dtype="float32", shape=("requests", "source", w)) for n, w in widths.items()),
            TensorSpec(name=INITIAL, dtype="float32", shape=("requests", config.decoder_width)),
        )

    @property
    def state(self) -> tuple[StateSpec, ...]:
        """What a position leaves to the next: h, an LSTM's c, and in Luong's style the readout that is fed back."""
        widths = {HIDDEN: self.config.decoder_width}
        if self.config.cell == "lstm":
            widths[CELL] = self.config.decoder_width
        if self.config.style == "luong":
            widths[READOUT] = self.config.width
        return tuple(
            StateSpec(
                input=TensorSpec(name=name, dtype="float32", shape=("slots", width)),
                output=f"next_{name}",
                in_place=False,
            )
            for name, width in widths.items()
        )
