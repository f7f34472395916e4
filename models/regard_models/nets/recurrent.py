"""The recurrent encoder-decoder with attention, in the two styles of the papers of 2015.

Bahdanau et al. 2015, "Neural Machine Translation by Jointly Learning to Align and Translate": the decoder's previous
state attends, and the context is an input of the cell.

    c_t = attend(s_{t-1}),  s_t = cell([y_{t-1}; c_t], s_{t-1}),  r_t = maxout(W [s_t; y_{t-1}; c_t])

Luong et al. 2015, "Effective Approaches to Attention-based Neural Machine Translation": the current state attends, and
the attentional vector is an input of the cell at the next position (input feeding, section 3.3).

    s_t = cell([y_{t-1}; r_{t-1}], s_{t-1}),  c_t = attend(s_t),  r_t = tanh(W [c_t; s_t])

In both, r_t is as wide as an embedding, and the logits are its products with the embeddings (tied; Press and Wolf
2017), plus a bias. Options cover the variants of Luong's style in other toolkits: stacked cells, of which the topmost
attends; one vocabulary per side; a separate head; other initial states of the decoder.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from regard_models.attention.additive import AdditiveScore
from regard_models.attention.dot import DotScore
from regard_models.attention.general import GeneralScore
from regard_models.attention.scaled_dot import ScaledDotScore
from regard_models.attention.score import Score
from regard_models.attention.soft import SoftAttention

Style = Literal["bahdanau", "luong"]
ScoreName = Literal["dot", "scaled_dot", "general", "additive"]
CellName = Literal["lstm", "gru"]
Start = Literal["bridge", "last", "layers", "zero"]
StartCell = Literal["zero", "hidden", "encoder"]


@dataclass(frozen=True)
class RecurrentConfig:
    """The options of a recurrent translator, which its weights do not determine.

    Attributes:
        vocab_size: pieces of the target; without `source_vocab_size`, the source shares its vocabulary and its table.
        width: width of embeddings and of the readout.
        encoder_width: width of each direction of the encoder.
        decoder_width: width of the decoder's state.
        score: "dot" and "scaled_dot" have no parameters and need decoder_width = 2 encoder_width.
        score_width: width of the additive score's hidden layer.
        score_bias: a bias inside the additive score's tanh.
        encoder_layers: number of stacked layers.
        bidirectional: whether the encoder reads in both directions.
        decoder_layers: number of stacked cells (Luong's style).
        source_vocab_size: pieces of a source with its own vocabulary and table.
        scale_embeddings: multiply embeddings by sqrt(width).
        tie_embeddings: the output projection is the embedding table.
        head_bias: a bias on the logits.
        readout_width: width of the readout (Luong's style); None means `width`.
        readout_bias, readout_tanh: whether the readout of Luong's style has a bias and a tanh.
        start: the decoder's first hidden state: "bridge" is tanh(W [last state forwards; last state backwards] + b) of
            the encoder's topmost layer, "last" these two states unchanged, both for all cells; "layers" is the last
            states of each layer; "zero".
        start_cell: an LSTM's first cell: "zero", equal to the "hidden" state, or the "encoder"'s last cell of each
            layer.
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
    score_bias: bool = False
    bidirectional: bool = True
    decoder_layers: int = 1
    source_vocab_size: int | None = None
    scale_embeddings: bool = True
    tie_embeddings: bool = True
    head_bias: bool = True
    readout_width: int | None = None
    readout_bias: bool = False
    readout_tanh: bool = True
    start: Start = "bridge"
    start_cell: StartCell = "zero"

    def __post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise ValueError("; ".join(faults))

    def _faults(self) -> Iterator[str]:
        """Reasons why options are incompatible."""
        if self.score in ("dot", "scaled_dot") and self.decoder_width != self.memory_width:
            directions = self.num_directions
            yield (
                f"score {self.score!r} wants decoder_width = {directions} encoder_width, not {self.decoder_width} and "
                f"{directions} x {self.encoder_width}"
            )
        if self.style == "bahdanau" and (self.decoder_layers, self.width_of_readout) != (1, self.width):
            yield "style 'bahdanau' has one decoder layer, and a readout as wide as an embedding"
        if self.tie_embeddings and self.width_of_readout != self.width:
            yield f"tied embeddings want a readout of their width {self.width}, not of {self.width_of_readout}"
        if self.start in ("last", "layers") and self.decoder_width != self.memory_width:
            yield f"start {self.start!r} wants decoder_width {self.memory_width}, not {self.decoder_width}"
        if self.start == "layers" and self.decoder_layers != self.encoder_layers:
            yield f"start 'layers' wants {self.encoder_layers} decoder layers, not {self.decoder_layers}"
        if self.start_cell == "encoder" and (self.start, self.cell) != ("layers", "lstm"):
            yield "start_cell 'encoder' wants start 'layers' and cells 'lstm'"

    @property
    def num_directions(self) -> int:
        """Number of directions of the encoder."""
        return 2 if self.bidirectional else 1

    @property
    def memory_width(self) -> int:
        """Width of the encoder's states, of all directions."""
        return self.num_directions * self.encoder_width

    @property
    def width_of_readout(self) -> int:
        """Width of the readout."""
        return self.readout_width or self.width

    @property
    def cell_input_width(self) -> int:
        """Width of the cell's input: the last token's embedding and the style's second input."""
        return self.width + (self.memory_width if self.style == "bahdanau" else self.width_of_readout)

    @property
    def state_width(self) -> int:
        """Width of the states of all cells together."""
        return self.decoder_layers * self.decoder_width

    @property
    def starts_cell(self) -> bool:
        """Whether the encoder computes an LSTM's first cell."""
        return self.cell == "lstm" and self.start_cell != "zero"

    def to_json(self) -> dict[str, Any]:
        """The options for a checkpoint's config.json."""
        return asdict(self)


@dataclass(frozen=True)
class Memory:
    """An encoded source, as the decoder reads it.

    Attributes:
        states: float [batch, source, memory_width]; 0 on padding.
        keys: float [batch, source, key_width], the score's keys.
        initial: float [batch, state_width], the decoder's first hidden state.
        initial_cell: float [batch, state_width], an LSTM's first cell; None means zeros.
        mask: bool [batch, source]; False on padding.
    """

    states: Tensor
    keys: Tensor
    initial: Tensor
    initial_cell: Tensor | None
    mask: Tensor


@dataclass(frozen=True)
class DecoderState:
    """The decoder's state after a position.

    Attributes:
        hidden: float [batch, state_width], s of all cells, the topmost last.
        cell: float [batch, state_width], an LSTM's cell; None with a GRU.
        readout: float [batch, width_of_readout], r, which Luong's style feeds back.
    """

    hidden: Tensor
    cell: Tensor | None
    readout: Tensor


@dataclass(frozen=True)
class RecurrentOutput:
    """One teacher-forced pass.

    Attributes:
        logits: float [batch, target, vocabulary].
        cross_attention: one float [batch, 1, target, source], in the form of one transformer layer; empty unless
            requested.
    """

    logits: Tensor
    cross_attention: list[Tensor]


class Cell(nn.Module):
    """One step of an LSTM or a GRU."""

    def __init__(self, config: RecurrentConfig, input_width: int) -> None:
        super().__init__()
        kind = nn.LSTMCell if config.cell == "lstm" else nn.GRUCell
        self.gates = kind(input_width, config.decoder_width)

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """x: float [batch, input width]; hidden, cell: float [batch, decoder_width] -> the next hidden and cell."""
        if isinstance(self.gates, nn.GRUCell):
            return self.gates(x, hidden), None
        next_hidden, next_cell = self.gates(x, (hidden, cell))
        return next_hidden, next_cell


class Decoder(nn.Module):
    """Base of both styles: cells, attention, and a readout."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        self.cell = Cell(config, config.cell_input_width)
        self.upper = nn.ModuleList(Cell(config, config.decoder_width) for _ in range(config.decoder_layers - 1))
        self.attention = SoftAttention(make_score(config))

    def move(self, x: Tensor, state: DecoderState) -> tuple[Tensor, Tensor | None]:
        """Runs all cells, each on the output of the cell below; x: float [batch, cell_input_width].

        Returns:
            hidden and cell as in `DecoderState`.
        """
        width, cells = self.config.decoder_width, [self.cell, *self.upper]
        hiddens = state.hidden.split(width, dim=-1)
        memories = [None] * len(cells) if state.cell is None else state.cell.split(width, dim=-1)
        new_hiddens: list[Tensor] = []
        new_cells: list[Tensor] = []
        for step, hidden, memory in zip(cells, hiddens, memories, strict=True):
            x, new_cell = step(x, hidden, memory)
            new_hiddens.append(x)
            new_cells += [] if new_cell is None else [new_cell]
        return torch.cat(new_hiddens, dim=-1), torch.cat(new_cells, dim=-1) if new_cells else None

    def top(self, hidden: Tensor) -> Tensor:
        """The topmost cell's state: float [batch, state_width] -> float [batch, decoder_width]."""
        return hidden[:, -self.config.decoder_width :]

    def attend(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """query: float [batch, decoder_width] -> context: float [batch, memory_width]; weights: [batch, source]."""
        context, weights = self.attention(query[:, None], memory.states, memory.mask[:, None], keys=memory.keys)
        return context.squeeze(1), weights.squeeze(1)

    def start(self, memory: Memory) -> DecoderState:
        """The state before the first position."""
        cell = memory.initial_cell
        if cell is None and self.config.cell == "lstm":
            cell = torch.zeros_like(memory.initial)
        readout = memory.initial.new_zeros(len(memory.initial), self.config.width_of_readout)
        return DecoderState(memory.initial, cell, readout)

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor, DecoderState]:
        """Runs one position.

        Args:
            embedded: float [batch, width], the last token's embedding.

        Returns:
            readout: float [batch, width_of_readout].
            weights: float [batch, source].
            state: for the next position.
        """
        raise NotImplementedError


class BahdanauDecoder(Decoder):
    """Attends, then runs the cell (section 3.1 and appendix A.2.2; the readout reads s_t instead of s_{t-1})."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        self.readout = nn.Linear(config.decoder_width + config.cell_input_width, 2 * config.width)

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor, DecoderState]:
        """Runs one position; see `Decoder.forward`."""
        context, weights = self.attend(state.hidden, memory)
        x = torch.cat([embedded, context], dim=-1)
        hidden, cell = self.move(x, state)
        pairs = self.readout(torch.cat([hidden, x], dim=-1)).unflatten(-1, (2, -1))
        readout = pairs.amax(-2)
        return readout, weights, DecoderState(hidden, cell, readout)


class LuongDecoder(Decoder):
    """Runs the cells, then attends (sections 3 and 3.3 of the paper)."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        wide = config.memory_width + config.decoder_width
        self.readout = nn.Linear(wide, config.width_of_readout, bias=config.readout_bias)

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor, DecoderState]:
        """Runs one position; see `Decoder.forward`."""
        hidden, cell = self.move(torch.cat([embedded, state.readout], dim=-1), state)
        query = self.top(hidden)
        context, weights = self.attend(query, memory)
        readout = self.readout(torch.cat([context, query], dim=-1))
        if self.config.readout_tanh:
            readout = torch.tanh(readout)
        return readout, weights, DecoderState(hidden, cell, readout)


class Encoder(nn.Module):
    """Encodes the source in one or both directions."""

    def __init__(self, config: RecurrentConfig, dropout: float) -> None:
        super().__init__()
        self.config = config
        kind = nn.LSTM if config.cell == "lstm" else nn.GRU
        self.layers = kind(
            config.width,
            config.encoder_width,
            config.encoder_layers,
            batch_first=True,
            bidirectional=config.bidirectional,
            dropout=dropout if config.encoder_layers > 1 else 0.0,
        )
        if config.start == "bridge":
            self.bridge = nn.Linear(config.memory_width, config.decoder_width)

    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Encodes a batch.

        Args:
            embedded: float [batch, source, width].
            lengths: int64 [batch], at least 1.

        Returns:
            states: float [batch, source, memory_width]; 0 on padding.
            initial: float [batch, state_width], the decoder's first hidden state.
            initial_cell: float [batch, state_width], an LSTM's first cell; None means zeros.
        """
        packed = pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, last = self.layers(packed)
        states, _ = pad_packed_sequence(outputs, batch_first=True, total_length=embedded.shape[1])
        hidden, cell = last if isinstance(last, tuple) else (last, None)
        initial = self._initial(self._by_layer(hidden))
        if not self.config.starts_cell:
            return states, initial, None
        if self.config.start_cell == "hidden":
            return states, initial, initial
        return states, initial, self._by_layer(cell).flatten(1)

    def _by_layer(self, last: Tensor) -> Tensor:
        """float [layers * directions, batch, encoder_width] -> float [batch, layers, memory_width]."""
        return last.unflatten(0, (self.config.encoder_layers, -1)).permute(2, 0, 1, 3).flatten(2)

    def _initial(self, last: Tensor) -> Tensor:
        """last: float [batch, layers, memory_width] -> float [batch, state_width]."""
        match self.config.start:
            case "bridge":
                return torch.tanh(self.bridge(last[:, -1])).repeat(1, self.config.decoder_layers)
            case "last":
                return last[:, -1].repeat(1, self.config.decoder_layers)
            case "layers":
                return last.flatten(1)
            case "zero":
                return last.new_zeros(len(last), self.config.state_width)


class RecurrentTranslator(nn.Module):
    """Encoder and decoder.

    Args:
        config: the architecture.
        dropout: probability, in training only: on embeddings, on the encoder's states and on the readout; not on
            recurrent connections (Zaremba et al. 2014).
    """

    def __init__(self, config: RecurrentConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        if config.source_vocab_size is not None:
            self.source_embedding = nn.Embedding(config.source_vocab_size, config.width)
        self.dropout = nn.Dropout(dropout)
        self.encoder = Encoder(config, dropout)
        self.decoder = (BahdanauDecoder if config.style == "bahdanau" else LuongDecoder)(config)
        self.head = nn.Linear(config.width_of_readout, config.vocab_size, bias=config.head_bias)
        if config.tie_embeddings:
            self.head.weight = self.embedding.weight
        self._initialize()

    def _initialize(self) -> None:
        """Initializes recurrent matrices orthogonally (Saxe et al. 2014) and an LSTM's forget gate open."""
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
        """The target's ids: int64 [...] -> float [..., width]."""
        return self._scaled(self.embedding(ids))

    def embed_source(self, ids: Tensor) -> Tensor:
        """The source's ids, likewise."""
        table = self.embedding if self.config.source_vocab_size is None else self.source_embedding
        return self._scaled(table(ids))

    def _scaled(self, embedded: Tensor) -> Tensor:
        """Scales embeddings, if configured, to an initial variance of 1 (Vaswani et al. 2017, section 3.4)."""
        return self.dropout(embedded * math.sqrt(self.config.width) if self.config.scale_embeddings else embedded)

    def encode(self, source: Tensor, source_mask: Tensor) -> Memory:
        """Encodes a batch of sources.

        Args:
            source: int64 [batch, source].
            source_mask: bool [batch, source]; False on padding, which is at the end.
        """
        states, initial, initial_cell = self.encoder(self.embed_source(source), source_mask.sum(1))
        states = self.dropout(states)
        return Memory(states, self.decoder.attention.score.prepare(states), initial, initial_cell, source_mask)

    def start(self, memory: Memory) -> DecoderState:
        """The decoder's state before the first position."""
        return self.decoder.start(memory)

    def step(self, tokens: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor, DecoderState]:
        """Runs one position.

        Args:
            tokens: int64 [batch], the last token of each target.
            state: from `start` or from the previous step.

        Returns:
            logits: float [batch, vocabulary].
            weights: float [batch, source].
            state: for the next position.
        """
        readout, weights, state = self.decoder(self.embed(tokens), state, memory)
        return self.head(self.dropout(readout)), weights, state

    def decode(self, target: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Decodes target prefixes position by position; `head` then computes the logits of all positions at once.

        Args:
            target: int64 [batch, target]; the start token first.

        Returns:
            readouts: float [batch, target, width_of_readout], the input of `head`.
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
    """Builds a net from saved options and weights, in inference mode.

    Args:
        options: from `RecurrentConfig.to_json`.
        weights: the `state_dict()`, without the head's weight if it is the embedding table.

    Raises:
        TypeError, ValueError: an option is unknown, or options are incompatible.
        RuntimeError: weights are missing, unexpected or misshapen; the message names them all.
    """
    config = RecurrentConfig(**options)
    net = RecurrentTranslator(config)
    is_tied = config.tie_embeddings and "embedding.weight" in weights
    tied = {"head.weight": weights["embedding.weight"]} if is_tied else {}
    net.load_state_dict({**weights, **tied})
    return net.eval()


def make_score(config: RecurrentConfig) -> Score:
    """Makes the configured score between the decoder's and the encoder's states."""
    match config.score:
        case "dot":
            return DotScore()
        case "scaled_dot":
            return ScaledDotScore()
        case "general":
            return GeneralScore(config.decoder_width, config.memory_width)
        case "additive":
            return AdditiveScore(config.decoder_width, config.memory_width, config.score_width, bias=config.score_bias)
