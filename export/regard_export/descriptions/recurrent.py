"""A recurrent translator's config and weights, and the tensors that its graphs exchange."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from regard.arrays import Float32Array
from regard_export.descriptions.layers import Linear, Weights
from regard_export.errors import WeightsDoNotFit, listed
from regard_models.nets.recurrent import RecurrentConfig, RecurrentTranslator, load_translator
from regard_service.bundle import StateSpec, TensorSpec

# Names of the memory and of the state.
STATES, KEYS, INITIAL_STATE, INITIAL_CELL = "encoder_states", "keys", "initial_state", "initial_cell"
HIDDEN, CELL, READOUT = "hidden", "cell", "readout"

CELL_PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")  # as PyTorch names them


def encoder_parameters(config: RecurrentConfig) -> Iterator[str]:
    """Names of the encoder's parameters after "encoder.layers.": those of PyTorch's LSTM and GRU."""
    for layer in range(config.encoder_layers):
        for direction in ("", "_reverse")[: config.num_directions]:
            yield from (f"{parameter}_l{layer}{direction}" for parameter in CELL_PARAMETERS)


def decoder_cells(config: RecurrentConfig) -> list[str]:
    """Prefix of each decoder cell's `CELL_PARAMETERS`, without the dot."""
    return ["decoder.cell.gates", *(f"decoder.upper.{n}.gates" for n in range(config.decoder_layers - 1))]


@dataclass(frozen=True)
class RecurrentDescription:
    """A recurrent translator's config and weights.

    Attributes:
        weights: float32, by the parameter names of `RecurrentTranslator`; a tied "head.weight" is left out.

    Raises:
        WeightsDoNotFit: names every missing, unexpected or misshapen weight.
    """

    config: RecurrentConfig
    weights: Weights

    def __post_init__(self) -> None:
        faults = sorted(self._weight_faults())
        if faults:
            raise WeightsDoNotFit("the weights do not fit the architecture: " + listed(faults))

    def _weight_faults(self) -> Iterator[str]:
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
        """The PyTorch model with these weights."""
        weights = {name: torch.from_numpy(np.array(x)) for name, x in self.weights.items()}
        return load_translator(self.config.to_json(), weights)

    def linear(self, name: str) -> Linear:
        """The linear layer of this name."""
        return Linear.of(self.weights, name)

    def cell_layers(self, cell: str) -> list[Linear]:
        """A cell's products with its input and with its hidden state; `cell` is one of `decoder_cells`."""
        return [
            Linear(f"{cell}.{kind}", self.weights[f"{cell}.weight_{kind}"], self.weights[f"{cell}.bias_{kind}"])
            for kind in ("ih", "hh")
        ]

    @property
    def embedding_scale(self) -> float:
        """Factor on every embedding."""
        return float(self.config.width**0.5) if self.config.scale_embeddings else 1.0

    @property
    def scaled_embedding(self) -> Float32Array:
        """The target's embedding table times `embedding_scale`, float32 [vocabulary, width]."""
        return self.weights["embedding.weight"] * np.float32(self.embedding_scale)

    @property
    def scaled_source_embedding(self) -> Float32Array:
        """The source's embedding table, scaled; the target's unless their vocabularies differ."""
        own = self.weights.get("source_embedding.weight")
        return self.scaled_embedding if own is None else own * np.float32(self.embedding_scale)

    @property
    def head(self) -> Linear:
        """The projection to the vocabulary; a tied one has the scaled embedding table as its weight."""
        bias = self.weights.get("head.bias")
        if self.config.tie_embeddings:
            return Linear("embedding", self.scaled_embedding, bias)
        return Linear("head", self.weights["head.weight"], bias)

    @property
    def has_keys(self) -> bool:
        """Whether the score compares the query with a projection of the encoder's states, not the states themselves."""
        return self.config.score in ("general", "additive")

    @property
    def memory(self) -> tuple[TensorSpec, ...]:
        """The encoder's states, their keys if there are any, and the decoder's initial state."""
        config = self.config
        key_width = config.score_width if config.score == "additive" else config.decoder_width
        widths = {STATES: config.memory_width, **({KEYS: key_width} if self.has_keys else {})}
        return (
            *(TensorSpec(name=n, dtype="float32", shape=("requests", "source", w)) for n, w in widths.items()),
            *(
                TensorSpec(name=name, dtype="float32", shape=("requests", config.state_width))
                for name in (INITIAL_STATE, *([INITIAL_CELL] if config.starts_cell else []))
            ),
        )

    @property
    def state(self) -> tuple[StateSpec, ...]:
        """The hidden state, an LSTM's cell and, in Luong's style, the readout that is fed back."""
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
