"""The recurrent encoder-decoder with attention, in the two styles that the papers of 2015 gave it.

Bahdanau et al. 2015, "Neural Machine Translation by Jointly Learning to Align and Translate": the decoder's previous
state attends, and what it finds goes into the cell.

    c_t = attend(s_{t-1}),  s_t = cell([y_{t-1}; c_t], s_{t-1}),  r_t = maxout(W [s_t; y_{t-1}; c_t])

Luong et al. 2015, "Effective Approaches to Attention-based Neural Machine Translation": the present state attends, and
the attentional vector goes back into the cell at the next position (input feeding, section 3.3).

    s_t = cell([y_{t-1}; r_{t-1}], s_{t-1}),  c_t = attend(s_t),  r_t = tanh(W [c_t; s_t])

Either way r_t is as wide as an embedding, and the logits are its products with the embeddings (tied; Press and Wolf
2017), plus a bias.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.attention.additive import AdditiveScore
from models.attention.dot import DotScore
from models.attention.general import GeneralScore
from models.attention.scaled_dot import ScaledDotScore
from models.attention.score import Score
from models.attention.soft import SoftAttention

Style = Literal["bahdanau", "luong"]
ScoreName = Literal["dot", "scaled_dot", "general", "additive"]
CellName = Literal["lstm", "gru"]


@dataclass(frozen=True)
class RecurrentConfig:
    """What the weights alone do not tell about a recurrent translator.

    Attributes:
        vocab_size: pieces; the source and the target share one vocabulary and one table.
        width: of embeddings and of what the logits are read from.
        encoder_width: of each of the encoder's two directions.
        decoder_width: of the decoder's state.
        score: "dot" and "scaled_dot" compare without parameters and want decoder_width = 2 encoder_width.
        score_width: of the additive score's hidden layer.
        encoder_layers: bidirectional layers one above the other.
    """

    vocab_size: int
    width: int
    encoder_width: int
    decoder_width: int
    style: Style
    score: ScoreName
    cell: CellName
    score_width: int = 256
    encoder_layers: int = 1

    def __post_init__(self) -> None:
        if self.score in ("dot", "scaled_dot") and self.decoder_width != self.memory_width:
            raise ValueError(
                f"score {self.score!r} wants decoder_width = 2 encoder_width, not {self.decoder_width} and "
                f"2 x {self.encoder_width}"
            )

    @property
    def memory_width(self) -> int:
        """Both directions of the encoder."""
        return 2 * self.encoder_width

    @property
    def cell_input_width(self) -> int:
        """The last token's embedding, and what the style puts beside it."""
        return self.width + (self.memory_width if self.style == "bahdanau" else self.width)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Memory:
    """What the decoder knows of a source.

    Attributes:
        states: float [batch, source, memory_width]; 0 on padding.
        keys: float [batch, source, key_width], what the score compares with.
        initial: float [batch, decoder_width], the decoder's first state.
        mask: bool [batch, source]; False on padding.
    """

    states: Tensor
    keys: Tensor
    initial: Tensor
    mask: Tensor


@dataclass(frozen=True)
class DecoderState:
    """What one position leaves to the next.

    Attributes:
        hidden: float [batch, decoder_width], s.
        cell: float [batch, decoder_width], an LSTM's; None with a GRU.
        readout: float [batch, width], r, which Luong's style feeds back.
    """

    hidden: Tensor
    cell: Tensor | None
    readout: Tensor


@dataclass(frozen=True)
class RecurrentOutput:
    """One teacher-forced pass.

    Attributes:
        logits: float [batch, target, vocabulary].
        cross_attention: float [batch, 1, target, source], as a transformer's only layer would have it; empty unless
            asked for.
    """

    logits: Tensor
    cross_attention: list[Tensor]


class Cell(nn.Module):
    """One step of an LSTM or a GRU."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        kind = nn.LSTMCell if config.cell == "lstm" else nn.GRUCell
        self.gates = kind(config.cell_input_width, config.decoder_width)

    def forward(self, x: Tensor, state: DecoderState) -> tuple[Tensor, Tensor | None]:
        """x: float [batch, cell_input_width] -> hidden, and cell with an LSTM, as in `DecoderState`."""
        if isinstance(self.gates, nn.GRUCell):
            return self.gates(x, state.hidden), None
        hidden, cell = self.gates(x, (state.hidden, state.cell))
        return hidden, cell


class Decoder(nn.Module):
    """What both styles have: a cell, attention, and a readout."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.width = config.width
        self.cell = Cell(config)
        self.attention = SoftAttention(make_score(config))

    def attend(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """query: float [batch, decoder_width] -> context: float [batch, memory_width]; weights: [batch, source]."""
        context, weights = self.attention(query[:, None], memory.states, memory.mask[:, None], keys=memory.keys)
        return context.squeeze(1), weights.squeeze(1)

    def start(self, memory: Memory) -> DecoderState:
        """The state before the first position; an LSTM's cell begins empty."""
        cell = torch.zeros_like(memory.initial) if isinstance(self.cell.gates, nn.LSTMCell) else None
        return DecoderState(memory.initial, cell, memory.initial.new_zeros(len(memory.initial), self.width))

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor, DecoderState]:
        """Runs one position.

        Args:
            embedded: float [batch, width], the last token's embedding.

        Returns:
            readout: float [batch, width].
            weights: float [batch, source].
            state: for the next position.
        """
        raise NotImplementedError


class BahdanauDecoder(Decoder):
    """Looks, then moves (section 3.1 and appendix A.2.2 of the paper; the readout reads s_t instead of s_{t-1})."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        self.readout = nn.Linear(config.decoder_width + config.cell_input_width, 2 * config.width)

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor, DecoderState]:
        context, weights = self.attend(state.hidden, memory)
        x = torch.cat([embedded, context], dim=-1)
        hidden, cell = self.cell(x, state)
        pairs = self.readout(torch.cat([hidden, x], dim=-1)).unflatten(-1, (2, -1))
        readout = pairs.amax(-2)
        return readout, weights, DecoderState(hidden, cell, readout)


class LuongDecoder(Decoder):
    """Moves, then looks (sections 3 and 3.3 of the paper)."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        self.readout = nn.Linear(config.memory_width + config.decoder_width, config.width, bias=False)

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor, DecoderState]:
        hidden, cell = self.cell(torch.cat([embedded, state.readout], dim=-1), state)
        context, weights = self.attend(hidden, memory)
        readout = torch.tanh(self.readout(torch.cat([context, hidden], dim=-1)))
        return readout, weights, DecoderState(hidden, cell, readout)


class Encoder(nn.Module):
    """Reads the source in both directions."""

    def __init__(self, config: RecurrentConfig, dropout: float) -> None:
        super().__init__()
        kind = nn.LSTM if config.cell == "lstm" else nn.GRU
        self.layers = kind(
            config.width,
            config.encoder_width,
            config.encoder_layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if config.encoder_layers > 1 else 0.0,
        )
        self.bridge = nn.Linear(config.memory_width, config.decoder_width)

    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encodes a batch.

        Args:
            embedded: float [batch, source, width].
            lengths: int64 [batch], at least 1.

        Returns:
            states: float [batch, source, memory_width]; 0 on padding.
            initial: float [batch, decoder_width]: tanh(W [last state forwards; last state backwards] + b).
        """
        packed = pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, last = self.layers(packed)
        states, _ = pad_packed_sequence(outputs, batch_first=True, total_length=embedded.shape[1])
        hidden = last[0] if isinstance(last, tuple) else last  # [layers * 2, batch, encoder_width]
        return states, torch.tanh(self.bridge(torch.cat([hidden[-2], hidden[-1]], dim=-1)))


class RecurrentTranslator(nn.Module):
    """Encoder and decoder over one shared vocabulary.

    Args:
        config: the architecture.
        dropout: probability, in training only: on embeddings, on the encoder's states and on what the logits are read
            from; not on recurrent connections (Zaremba et al. 2014).
    """

    def __init__(self, config: RecurrentConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.dropout = nn.Dropout(dropout)
        self.encoder = Encoder(config, dropout)
        self.decoder = (BahdanauDecoder if config.style == "bahdanau" else LuongDecoder)(config)
        self.head = nn.Linear(config.width, config.vocab_size)
        self.head.weight = self.embedding.weight
        self._initialize()

    def _initialize(self) -> None:
        """Recurrent matrices start orthogonal (Saxe et al. 2014), an LSTM's forget gate open."""
        for name, parameter in self.named_parameters():
            if "weight_hh" in name:
                for gate in parameter.data.split(parameter.shape[1]):
                    nn.init.orthogonal_(gate)
            elif parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)
                if self.config.cell == "lstm" and "bias_ih" in name:
                    parameter.data.chunk(4)[1].fill_(1.0)
        nn.init.normal_(self.embedding.weight, std=self.config.width**-0.5)

    def embed(self, ids: Tensor) -> Tensor:
        """ids: int64 [...] -> float [..., width], of variance 1 at first as in Vaswani et al. 2017, section 3.4."""
        return self.dropout(self.embedding(ids) * math.sqrt(self.config.width))

    def encode(self, source: Tensor, source_mask: Tensor) -> Memory:
        """Encodes a batch of sources.

        Args:
            source: int64 [batch, source].
            source_mask: bool [batch, source]; False on padding, which stands at the end.
        """
        states, initial = self.encoder(self.embed(source), source_mask.sum(1))
        states = self.dropout(states)
        return Memory(states, self.decoder.attention.score.prepare(states), initial, source_mask)

    def start(self, memory: Memory) -> DecoderState:
        """The decoder's state before the first position."""
        return self.decoder.start(memory)

    def step(self, tokens: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor, DecoderState]:
        """Runs one position.

        Args:
            tokens: int64 [batch], the last of each target.
            state: from `start` or from the step before.

        Returns:
            logits: float [batch, vocabulary].
            weights: float [batch, source].
            state: for the next position.
        """
        readout, weights, state = self.decoder(self.embed(tokens), state, memory)
        return self.head(self.dropout(readout)), weights, state

    def decode(self, target: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Decodes target prefixes, a position after the other; only the logits wait, for all positions at once.

        Args:
            target: int64 [batch, target]; the start token first.

        Returns:
            readouts: float [batch, target, width], what `head` turns into logits.
            weights: float [batch, target, source].
        """
        state, readouts, all_weights = self.start(memory), [], []
        for embedded in self.embed(target).unbind(1):
            readout, weights, state = self.decoder(embedded, state, memory)
            readouts.append(readout)
            all_weights.append(weights)
        return self.dropout(torch.stack(readouts, dim=1)), torch.stack(all_weights, dim=1)

    def forward(
        self, source: Tensor, source_mask: Tensor, target: Tensor, *, need_weights: bool = False
    ) -> RecurrentOutput:
        """Runs one teacher-forced pass; arguments as in `encode` and `decode`."""
        readouts, weights = self.decode(target, self.encode(source, source_mask))
        return RecurrentOutput(self.head(readouts), [weights[:, None]] if need_weights else [])


def load_translator(options: Mapping[str, Any], weights: Mapping[str, Tensor]) -> RecurrentTranslator:
    """Puts a saved net together again, ready to run.

    Args:
        options: of `RecurrentConfig`, as `to_json` tells them.
        weights: the `state_dict()`, without the head's weight, which is the embedding table.

    Raises:
        TypeError, ValueError: no such option, or options that do not go together.
        RuntimeError: weights are missing, unexpected or misshapen; the message names them all.
    """
    net = RecurrentTranslator(RecurrentConfig(**options))
    tied = {"head.weight": weights["embedding.weight"]} if "embedding.weight" in weights else {}
    net.load_state_dict({**weights, **tied})
    return net.eval()


def make_score(config: RecurrentConfig) -> Score:
    """The score that a configuration names, between the decoder's state and the encoder's."""
    match config.score:
        case "dot":
            return DotScore()
        case "scaled_dot":
            return ScaledDotScore()
        case "general":
            return GeneralScore(config.decoder_width, config.memory_width)
        case "additive":
            return AdditiveScore(config.decoder_width, config.memory_width, config.score_width)
