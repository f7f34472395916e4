"""The pointer-generator network with coverage (See et al. 2017, "Get To The Point: Summarization with Pointer-Generator
Networks"): an LSTM encoder-decoder that generates words of its vocabulary or copies words of the source.

    h_s = BiLSTM(x_1 ... x_S)_s                                              encoder
    s_t = LSTM(W [x_t; c_{t-1}], s_{t-1})                                    decoder, fed with the last context
    a_t, c_t = attend(s_t, h, coverage_t)                                    equations 1 to 3, 10 and 11
    P_vocabulary = softmax(E V [s_t; c_t] + b)                               equation 4
    P(w) = p_say P_vocabulary(w) + (1 - p_gen) sum_{s: w_s = w} a_ts         equation 9

Here p_say is p_gen plus the attention to special tokens, such as the style's, which cannot be copied: attention goes
there when no word of the source is relevant.
Unlike in the paper, E is the embedding table (Press and Wolf 2017, "Using the Output Embedding"): with some 10,000
words and few documents, this saves most of the parameters.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from regard_models.attention.coverage import CoverageAttention
from regard_models.attention.pointer import PointerGenerator

TINY = 1e-30  # lower bound of probabilities, so that their logarithms are finite


@dataclass(frozen=True)
class PointerGeneratorConfig:
    """Sizes of the network.

    Attributes:
        vocab_size: number of words, including special tokens; source and target share one vocabulary.
        embedding_width: width of a word's vector.
        encoder_width: width of the encoder's state in each direction.
        decoder_width: width of the decoder's state.
        attention_width: width of the additive score's hidden layer.
        num_special: ids below it are special tokens, which are never copied and, except the end token, never generated.
        unknown_id: the special token of every word that the vocabulary lacks.
        end_id: the special token that ends a summary.
    """

    vocab_size: int
    embedding_width: int
    encoder_width: int
    decoder_width: int
    attention_width: int
    num_special: int
    unknown_id: int
    end_id: int

    def to_json(self) -> dict[str, Any]:
        """The options for a checkpoint's config.json."""
        return asdict(self)


@dataclass(frozen=True)
class PointerMemory:
    """A batch of encoded sources.

    Attributes:
        states: float [batch, source, 2 x encoder_width]; finite but unused on padding.
        keys: float [batch, source, attention_width], the score's keys of the states.
        mask: bool [batch, source]; False on padding.
        hidden, cell: float [batch, decoder_width], the decoder's first state.
    """

    states: Tensor
    keys: Tensor
    mask: Tensor
    hidden: Tensor
    cell: Tensor


@dataclass(frozen=True)
class PointerState:
    """The decoder's state after a position.

    Attributes:
        hidden, cell: float [batch, decoder_width].
        context: float [batch, 2 x encoder_width], of the attention.
        coverage: float [batch, source], the sum of all weights so far.
    """

    hidden: Tensor
    cell: Tensor
    context: Tensor
    coverage: Tensor


@dataclass(frozen=True)
class Decoded:
    """Decoder positions, from which their distributions are computed.

    Attributes:
        inputs: float [batch, target, embedding_width], the embedded tokens.
        hidden: float [batch, target, decoder_width].
        context: float [batch, target, 2 x encoder_width].
        weights: float [batch, target, source], the attention.
        coverage: float [batch, target, source], the sum of the weights of earlier positions.
    """

    inputs: Tensor
    hidden: Tensor
    context: Tensor
    weights: Tensor
    coverage: Tensor


class PointerGeneratorNetwork(nn.Module):
    """Encoder, decoder, and the distribution over generated and copied words.

    Args:
        config: the sizes.
        dropout: probability, in training only: on embeddings, on the encoder's states and before the output layer.
    """

    def __init__(self, config: PointerGeneratorConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        memory_width = 2 * config.encoder_width
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_width)
        # Two networks over padded rows, one reversed: the backward pass of packed rows takes ten times as long on CPU.
        self.forwards = nn.LSTM(config.embedding_width, config.encoder_width, batch_first=True)
        self.backwards = nn.LSTM(config.embedding_width, config.encoder_width, batch_first=True)
        self.first_hidden = nn.Linear(memory_width, config.decoder_width)
        self.first_cell = nn.Linear(memory_width, config.decoder_width)
        self.feed = nn.Linear(config.embedding_width + memory_width, config.embedding_width)
        self.decoder = nn.LSTMCell(config.embedding_width, config.decoder_width)
        self.attention = CoverageAttention(config.decoder_width, memory_width, config.attention_width)
        self.output = nn.Linear(config.decoder_width + memory_width, config.embedding_width)
        self.head = nn.Linear(config.embedding_width, config.vocab_size)
        self.head.weight = self.embedding.weight
        self.pointer = PointerGenerator(memory_width, config.decoder_width, config.embedding_width)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.embedding.weight, std=config.embedding_width**-0.5)
        nn.init.zeros_(self.head.bias)

    def encode(self, source: Tensor, mask: Tensor) -> PointerMemory:
        """Encodes a batch of sources.

        Args:
            source: int64 [batch, source].
            mask: bool [batch, source]; False on padding, which follows each source.
        """
        embedded = self.dropout(self.embedding(source))
        forwards, _ = self.forwards(embedded)
        backwards, _ = self.backwards(reversed_rows(embedded, mask))
        states = torch.cat([forwards, reversed_rows(backwards, mask)], dim=-1)
        last = (mask.sum(1) - 1)[:, None, None].expand(-1, 1, forwards.shape[-1])
        ends = torch.cat([forwards.gather(1, last)[:, 0], states[:, 0, forwards.shape[-1] :]], dim=-1)
        states = self.dropout(states)
        return PointerMemory(
            states,
            self.attention.score.prepare(states),
            mask,
            torch.tanh(self.first_hidden(ends)),
            torch.tanh(self.first_cell(ends)),
        )

    def start(self, memory: PointerMemory) -> PointerState:
        """The state before the first position."""
        context = memory.states.new_zeros(memory.states.shape[0], memory.states.shape[2])
        return PointerState(memory.hidden, memory.cell, context, memory.states.new_zeros(memory.mask.shape))

    def step(self, embedded: Tensor, state: PointerState, memory: PointerMemory) -> tuple[PointerState, Tensor]:
        """Runs one position.

        Args:
            embedded: float [batch, embedding_width], the embedded token of the position.

        Returns:
            the next state; weights: float [batch, source].
        """
        fed = self.feed(torch.cat([embedded, state.context], dim=-1))
        hidden, cell = self.decoder(fed, (state.hidden, state.cell))
        context, weights = self.attention(
            hidden[:, None], memory.states, memory.mask[:, None], coverage=state.coverage[:, None], keys=memory.keys
        )
        return PointerState(hidden, cell, context[:, 0], state.coverage + weights[:, 0]), weights[:, 0]

    def decode(self, target: Tensor, memory: PointerMemory) -> Decoded:
        """Decodes target prefixes, one position after the other.

        Args:
            target: int64 [batch, target], ids of the vocabulary; the start token first.
        """
        inputs, state = self.dropout(self.embedding(target)), self.start(memory)
        positions = []
        for embedded in inputs.unbind(1):
            coverage = state.coverage
            state, weights = self.step(embedded, state, memory)
            positions.append((state.hidden, state.context, weights, coverage))
        return Decoded(inputs, *(torch.stack(parts, dim=1) for parts in zip(*positions, strict=True)))

    def logits(self, decoded: Decoded) -> Tensor:
        """The vocabulary's logits before the softmax of equation 4: float [batch, target, vocab_size]."""
        output = self.output(torch.cat([decoded.hidden, decoded.context], dim=-1))
        return self.head(self.dropout(output))

    def shares(self, decoded: Decoded, source: Tensor) -> tuple[Tensor, Tensor]:
        """The shares of probability for generating and for copying.

        Args:
            source: int64 [batch, source].

        Returns:
            say: float [batch, target], p_say.
            copy: float [batch, target, source]; they sum to 1 with `say`; 0 at special tokens.
        """
        p_generate = self.pointer.p_generate(decoded.context, decoded.hidden, decoded.inputs)
        copy = (1 - p_generate) * decoded.weights
        fixed = ~self.copiable(source)[:, None]
        return p_generate[..., 0] + copy.masked_fill(~fixed, 0.0).sum(-1), copy.masked_fill(fixed, 0.0)

    def copiable(self, source: Tensor) -> Tensor:
        """Whether an id stands for a word, known or not; bool, of the shape of `source`."""
        return (source >= self.config.num_special) | (source == self.config.unknown_id)

    def label_log_probs(
        self, decoded: Decoded, labels: Tensor, source: Tensor, source_words: Tensor, copies: Tensor
    ) -> Tensor:
        """The log-probability of each label, without computing the extended distribution.

        Args:
            labels: int64 [batch, target]; vocabulary ids; the unknown token for words that can only be copied.
            source: int64 [batch, source].
            source_words: int64 [batch, source]; for each source token the position of the first token of the same word.
            copies: int64 [batch, target]; position of the label's first occurrence in the source, -1 without one.

        Returns:
            log_probs: float [batch, target]; very small for labels that can be neither generated nor copied.
        """
        say, copy = (x.float() for x in self.shares(decoded, source))
        surprise = functional.cross_entropy(self.logits(decoded).float().transpose(1, 2), labels, reduction="none")
        said = say * torch.exp(-surprise).masked_fill(labels == self.config.unknown_id, 0.0)
        same = source_words[:, None, :] == copies[:, :, None]  # [batch, target, source]
        return torch.log((said + copy.masked_fill(~same, 0.0).sum(-1)).clamp_min(TINY))

    def distribution(self, decoded: Decoded, source: Tensor, source_words: Tensor) -> Tensor:
        """Equation 9, each word under one id, as docs/bundle.md states under "Copying".

        Args:
            source: int64 [batch, source].
            source_words: int64 [batch, source], as in `label_log_probs`.

        Returns:
            log_probs: float [batch, target, vocab_size + source]; minus infinity at ids that do not represent their
                word, and at special tokens other than the end token.
        """
        config, num_targets = self.config, decoded.weights.shape[1]
        say, copy = self.shares(decoded, source)
        said = torch.log_softmax(self.logits(decoded) + self._silence(), dim=-1)
        said = said + say.clamp_min(TINY).log()[..., None]
        ids, words = (x[:, None].expand(-1, num_targets, -1) for x in (source, source_words))
        unknown = ids == config.unknown_id
        first = self.copiable(ids) & (words == torch.arange(source.shape[1], device=source.device))

        copied = torch.zeros_like(copy).scatter_add(-1, words, copy)  # at each word's first position
        said_there = said.gather(-1, ids).exp().masked_fill(unknown, 0.0)
        by_copying = unknown | (copied > said_there)  # more than half of the word's probability
        total = (copied + said_there).clamp_min(TINY).log()

        # Other occurrences and unknown words write to the unknown token, which is silenced anyway.
        places = torch.where(first & ~unknown, ids, config.unknown_id)
        said = said.scatter(-1, places, total.masked_fill(~first | by_copying, -torch.inf))
        return torch.cat([said, total.masked_fill(~first | ~by_copying, -torch.inf)], dim=-1)

    def _silence(self) -> Tensor:
        """float [vocab_size]; minus infinity at tokens that are never generated."""
        silence = self.head.bias.new_zeros(self.config.vocab_size)
        silence[: self.config.num_special] = -torch.inf
        silence[self.config.end_id] = 0.0
        return silence


def reversed_rows(x: Tensor, mask: Tensor) -> Tensor:
    """Reverses each row's positions; padding stays at the end.

    Args:
        x: float [batch, source, width].
        mask: bool [batch, source]; False on padding.
    """
    positions = torch.arange(x.shape[1], device=x.device)
    order = torch.where(mask, mask.sum(1, keepdim=True) - 1 - positions, positions)
    return x.gather(1, order[..., None].expand_as(x))


def load_network(options: dict[str, Any], weights: Mapping[str, Tensor]) -> PointerGeneratorNetwork:
    """Builds a network from saved options and weights, in inference mode.

    Args:
        options: from `PointerGeneratorConfig.to_json`.
        weights: the `state_dict()`, without the head's weight, which is the embedding table.

    Raises:
        TypeError: an option is unknown.
        RuntimeError: weights are missing, unexpected or misshapen; the message names them all.
    """
    net = PointerGeneratorNetwork(PointerGeneratorConfig(**options))
    tied = {"head.weight": weights["embedding.weight"]} if "embedding.weight" in weights else {}
    net.load_state_dict({**weights, **tied})
    return net.eval()
