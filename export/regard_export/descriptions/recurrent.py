"""A recurrent translator's weights as its graphs need them, and the tensors that the graphs exchange."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from regard_models.nets.recurrent import RecurrentConfig, RecurrentTranslator, load_translator
from regard_service.bundle import StateSpec, TensorSpec

from regard.arrays import Float32Array
from regard_export.errors import WeightsDoNotFit
from regard_export.precision.quantize import Linear

STATES, KEYS, INITIAL, INITIAL_CELL = "encoder_states", "keys", "initial_state", "initial_cell"
HIDDEN, CELL, READOUT = "hidden", "cell", "readout"

GATES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")  # of a cell, as PyTorch has it


def encoder_parts(config: RecurrentConfig) -> Iterator[str]:
    """Names of the encoder's weights behind "encoder.layers.", which are those of PyTorch's LSTM and GRU."""
    for layer in range(config.encoder_layers):
        for direction in ("", "_reverse")[: config.num_directions]:
            yield from (f"{part}_l{layer}{direction}" for part in GATES)


def decoder_cells(config: RecurrentConfig) -> list[str]:
    """What the names of each decoder cell's `GATES` begin with."""
    return ["decoder.cell.gates", *(f"decoder.upper.{n}.gates" for n in range(config.decoder_layers - 1))]


@dataclass(frozen=True)
class RecurrentWeights:
    """An architecture and its weights.

    Attributes:
        weights: float32, by the parameter names of `RecurrentTranslator`, without "head.weight" where it is the
            embedding table.
    """

    config: RecurrentConfig
    weights: Mapping[str, Float32Array]

    def __post_init__(self) -> None:
        faults = sorted(self._weight_faults())
        if faults:
            raise WeightsDoNotFit("the weights do not fit the architecture: " + "; ".join(faults))

    def _weight_faults(self) -> Iterator[str]:
        """Names every missing, unexpected or misshapen weight."""
        with torch.device("meta"):
            expected = {name: tuple(x.shape) for name, x in RecurrentTranslator(self.config).state_dict().items()}
        if self.config.tie_embeddings:
            del expected["head.weight"]
        yield from (f"{name} is missing" for name in expected.keys() - self.weights.keys())
        yield from (f"{name} is unexpected" for name in self.weights.keys() - expected.keys())
        for name in expected.keys() & self.weights.keys():
            if self.weights[name].shape != expected[name]:
                yield f"{name} has shape {self.weights[name].shape}, not {expected[name]}"

    def module(self) -> RecurrentTranslator:
        """The same model in PyTorch, ready to run."""
        weights = {name: torch.from_numpy(np.array(x)) for name, x in self.weights.items()}
        return load_translator(self.config.to_json(), weights)

    def linear(self, name: str) -> Linear:
        return Linear(name, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    @property
    def embedding_scale(self) -> float:
        return float(self.config.width**0.5) if self.config.scale_embeddings else 1.0

    @property
    def table(self) -> Float32Array:
        """The target's embedding table with its scale, float32 [vocabulary, width]."""
        return self.weights["embedding.weight"] * np.float32(self.embedding_scale)

    @property
    def source_table(self) -> Float32Array:
        """The source's, which is the target's too unless their vocabularies differ."""
        own = self.weights.get("source_embedding.weight")
        return self.table if own is None else own * np.float32(self.embedding_scale)

    @property
    def head(self) -> Linear:
        """The projection to the vocabulary; a tied one reads the table with its scale."""
        bias = self.weights.get("head.bias")
        if self.config.tie_embeddings:
            return Linear("embedding", self.table, bias)
        return Linear("head", self.weights["head.weight"], bias)

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
            *(
                TensorSpec(name=name, dtype="float32", shape=("requests", config.state_width))
                for name in (INITIAL, *([INITIAL_CELL] if config.starts_cell else []))
            ),
        )

    @property
    def state(self) -> tuple[StateSpec, ...]:
        """What a position leaves to the next: h, an LSTM's c, and in Luong's style the readout that is fed back."""
        widths = {HIDDEN: self.config.state_width}
        if self.config.cell == "lstm":
            widths[CELL] = self.config.state_width
        if self.config.style == "luong":
            widths[READOUT] = self.config.width_of_readout
        return tuple(
            StateSpec(
                input=TensorSpec(name=name, dtype="float32", shape=("slots", width)),
                output=f"next_{name}",
                in_place=False,
            )
            for name, width in widths.items()
        )
