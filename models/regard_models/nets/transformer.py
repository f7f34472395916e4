"""The encoder-decoder transformer (Vaswani et al. 2017), with the options that real checkpoints need.

One description (`TransformerConfig` and the parameter names of `Transformer`) covers every
family of checkpoints; `export/` builds serving graphs from it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from regard_models.attention.multi_head import MultiHeadAttention
from regard_models.attention.relative_position import RelativePositionBias
from regard_models.nets.transformer_config import Activation as Activation
from regard_models.nets.transformer_config import Side as Side
from regard_models.nets.transformer_config import TransformerConfig as TransformerConfig

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
    "silu": functional.silu,
}


@dataclass(frozen=True)
class TransformerOutput:
    """One teacher-forced pass.

    Attributes:
        logits: float [batch, target, vocabulary].
        cross_attention: one float [batch, heads, target, source] per decoder layer; empty unless requested.
        encoder_attention: one float [batch, heads, source, source] per encoder layer; likewise.
        decoder_attention: one float [batch, heads, target, target] per decoder layer; likewise.
    """

    logits: Tensor
    cross_attention: list[Tensor]
    encoder_attention: list[Tensor]
    decoder_attention: list[Tensor]


def attention(config: TransformerConfig, memory_width: int | None = None) -> MultiHeadAttention:
    """Makes the attention of a layer."""
    return MultiHeadAttention(
        config.width,
        config.num_heads,
        head_width=config.head_width,
        memory_width=memory_width,
        bias=config.bias,
        scale=None if config.scale_attention else 1.0,
    )


class FeedForward(nn.Module):
    """FFN(x) = activation(x W_1 + b_1) W_2 + b_2 (section 3.3).

    Gated (Shazeer 2020, "GLU Variants Improve Transformer"): (activation(x W_g + b_g) * (x W_1 + b_1)) W_2 + b_2.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.inner = nn.Linear(config.width, config.feed_forward_width, bias=config.bias)
        self.outer = nn.Linear(config.feed_forward_width, config.width, bias=config.bias)
        self.gate = nn.Linear(config.width, config.feed_forward_width, bias=config.bias) if config.gated else None
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, x: Tensor) -> Tensor:
        """x: float [..., width] -> float [..., width]."""
        if self.gate is None:
            return self.outer(self.activation(self.inner(x)))
        return self.outer(self.activation(self.gate(x)) * self.inner(x))


class Sublayer(nn.Module):
    """Residual connection, normalization and dropout around a sublayer (section 3.1)."""

    def __init__(self, config: TransformerConfig, dropout: float) -> None:
        super().__init__()
        self.norm = normalization(config)
        self.norm_first = config.norm == "pre"
        self.dropout = nn.Dropout(dropout)

    def before(self, x: Tensor) -> Tensor:
        """The sublayer's input: x, normalized with "pre"."""
        return self.norm(x) if self.norm_first else x

    def after(self, x: Tensor, update: Tensor) -> Tensor:
        """The sum of x and the sublayer's output, normalized with "post"."""
        x = x + self.dropout(update)
        return x if self.norm_first else self.norm(x)


class HeadTransform(nn.Module):
    """norm(activation(x W + b)), before the projection to the vocabulary."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.width, config.width)
        self.norm = nn.LayerNorm(config.width, eps=config.norm_epsilon)
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, x: Tensor) -> Tensor:
        """x: float [..., width] -> float [..., width]."""
        return self.norm(self.activation(self.dense(x)))


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward sublayers (section 3.1)."""

    def __init__(self, config: TransformerConfig, dropout: float) -> None:
        super().__init__()
        self.self_attention = attention(config)
        self.self_attention_sublayer = Sublayer(config, dropout)
        self.feed_forward = FeedForward(config)
        self.feed_forward_sublayer = Sublayer(config, dropout)

    def forward(
        self, x: Tensor, mask: Tensor | None, score_bias: Tensor | None = None, *, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Runs one layer.

        Args:
            x: float [batch, source, width].
            mask: bool [batch, 1, 1, source].
            score_bias: float [1, heads, source, source], on the scores of self-attention.
        """
        y = self.self_attention_sublayer.before(x)
        update, weights = self.self_attention(y, y, mask, score_bias=score_bias, need_weights=need_weights)
        x = self.self_attention_sublayer.after(x, update)
        update = self.feed_forward(self.feed_forward_sublayer.before(x))
        return self.feed_forward_sublayer.after(x, update), weights


class DecoderLayer(nn.Module):
    """Self-attention, cross-attention and feed-forward sublayers (section 3.1)."""

    def __init__(self, config: TransformerConfig, dropout: float) -> None:
        super().__init__()
        self.self_attention = attention(config)
        self.self_attention_sublayer = Sublayer(config, dropout)
        self.cross_attention = attention(config, config.memory_width)
        self.cross_attention_sublayer = Sublayer(config, dropout)
        self.feed_forward = FeedForward(config)
        self.feed_forward_sublayer = Sublayer(config, dropout)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        causal_mask: Tensor,
        source_mask: Tensor | None,
        score_bias: Tensor | None = None,
        *,
        need_weights: bool,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Runs one layer.

        Args:
            x: float [batch, target, width].
            memory: float [batch, source, memory width].
            causal_mask: bool [target, target].
            source_mask: bool [batch, 1, 1, source].
            score_bias: float [1, heads, target, target], on the scores of self-attention.
        """
        y = self.self_attention_sublayer.before(x)
        update, self_weights = self.self_attention(y, y, causal_mask, score_bias=score_bias, need_weights=need_weights)
        x = self.self_attention_sublayer.after(x, update)
        y = self.cross_attention_sublayer.before(x)
        update, cross_weights = self.cross_attention(y, memory, source_mask, need_weights=need_weights)
        x = self.cross_attention_sublayer.after(x, update)
        update = self.feed_forward(self.feed_forward_sublayer.before(x))
        return self.feed_forward_sublayer.after(x, update), self_weights, cross_weights


class TransformerDecoder(nn.Module):
    """The decoder with its embeddings and its head, for the memory of any encoder.

    Args:
        config: the architecture; fields of the encoder are ignored.
        dropout: probability, in training only: on embeddings and on every sublayer's output.
    """

    sinusoids: Tensor

    def __init__(self, config: TransformerConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        if config.positions == "learned":
            self.decoder_positions = nn.Embedding(config.max_positions, config.width)
        elif config.positions == "relative":
            self.decoder_distances = distances(config, bidirectional=False)
        else:
            self.register_buffer("sinusoids", sinusoids(config.max_positions, config.width), persistent=False)
        self.decoder_embedding_norm = normalization(config) if config.embedding_norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.decoder = nn.ModuleList(DecoderLayer(config, dropout) for _ in range(config.decoder_layers))
        self.decoder_norm = normalization(config) if config.final_norm else nn.Identity()
        self.head_transform = HeadTransform(config) if config.head_transform else nn.Identity()
        self.head = nn.Linear(config.width, config.vocab_size, bias=config.output_bias)
        if config.tie_embeddings:
            self.head.weight = self.embedding.weight
        self._initialize()

    def _initialize(self) -> None:
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        nn.init.normal_(self.embedding.weight, std=self.config.width**-0.5)

    def embed(self, ids: Tensor, side: Side, *, first_position: int = 0) -> Tensor:
        """ids: int64 [batch, n], at positions from `first_position` -> float [batch, n, width]."""
        x = self._table(side)(ids)
        if self.config.scale_embeddings:
            x = x * math.sqrt(self.config.width)
        positions = self._position_table(side)
        if positions is not None:
            x = x + positions[first_position : first_position + ids.shape[1]]
        return self.dropout(self.get_submodule(f"{side}_embedding_norm")(x))

    def _table(self, side: Side) -> nn.Module:
        separate = side == "encoder" and self.config.source_vocab_size is not None
        return self.get_submodule("source_embedding" if separate else "embedding")

    def _position_table(self, side: Side) -> Tensor | None:
        """Float [max_positions, width]; None with relative positions."""
        match self.config.positions:
            case "sinusoidal":
                return self.sinusoids
            case "learned":
                return self.get_parameter(f"{side}_positions.weight")
            case "relative":
                return None

    def _score_bias(self, length: int, side: Side) -> Tensor | None:
        """Float [1, heads, length, length]; None unless positions are relative."""
        if self.config.positions != "relative":
            return None
        positions = torch.arange(length, device=self.head.weight.device)
        bias: Tensor = self.get_submodule(f"{side}_distances")(positions, positions)
        return bias

    def decode(
        self, target: Tensor, memory: Tensor, source_mask: Tensor | None, *, need_weights: bool = False
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Decodes target prefixes, every position at once.

        Args:
            target: int64 [batch, target]; the start token first.
            memory: float [batch, source, memory width].
            source_mask: bool [batch, source]; None allows all.

        Returns:
            states: float [batch, target, width], what `logits` reads.
            self_weights, cross_weights: one tensor per layer; empty unless requested.
        """
        n = target.shape[1]
        causal_mask = torch.ones(n, n, dtype=torch.bool, device=target.device).tril()
        mask = None if source_mask is None else source_mask[:, None, None]
        x, all_self, all_cross, score_bias = self.embed(target, "decoder"), [], [], self._score_bias(n, "decoder")
        for layer in self.decoder:
            x, self_weights, cross_weights = layer(x, memory, causal_mask, mask, score_bias, need_weights=need_weights)
            all_self += [self_weights] if need_weights else []
            all_cross += [cross_weights] if need_weights else []
        return self.decoder_norm(x), all_self, all_cross

    def logits(self, states: Tensor) -> Tensor:
        """states: float [..., width] -> float [..., vocabulary]."""
        logits: Tensor = self.head(self.head_transform(states) * self.config.head_scale)
        return logits


class Transformer(TransformerDecoder):
    """Encoder and decoder.

    Args:
        config: the architecture.
        dropout: probability, in training only: on embeddings and on every sublayer's output.
    """

    def __init__(self, config: TransformerConfig, *, dropout: float = 0.0) -> None:
        super().__init__(config, dropout=dropout)
        if config.source_vocab_size is not None:
            self.source_embedding = nn.Embedding(config.source_vocab_size, config.width)
        if config.positions == "learned":
            self.encoder_positions = nn.Embedding(config.max_positions, config.width)
        elif config.positions == "relative":
            self.encoder_distances = distances(config.of_encoder, bidirectional=True)
        self.encoder_embedding_norm = normalization(config) if config.embedding_norm else nn.Identity()
        self.encoder = nn.ModuleList(EncoderLayer(config.of_encoder, dropout) for _ in range(config.encoder_layers))
        self.encoder_norm = normalization(config) if config.final_norm else nn.Identity()
        self._initialize()

    def encode(self, source: Tensor, source_mask: Tensor, *, need_weights: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Encodes a batch of sources.

        Args:
            source: int64 [batch, source].
            source_mask: bool [batch, source]; False on padding.

        Returns:
            memory: float [batch, source, width].
            weights: one float [batch, heads, source, source] per layer; empty unless requested.
        """
        return self.encode_embedded(self.embed(source, "encoder"), source_mask, need_weights=need_weights)

    def encode_embedded(
        self, x: Tensor, source_mask: Tensor | None, *, need_weights: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """Like `encode`, for a source other than text; x: float [batch, source, width], including positions."""
        mask, all_weights = None if source_mask is None else source_mask[:, None, None], []
        score_bias = self._score_bias(x.shape[1], "encoder")
        for layer in self.encoder:
            x, weights = layer(x, mask, score_bias, need_weights=need_weights)
            all_weights += [weights] if need_weights else []
        return self.encoder_norm(x), all_weights

    def forward(
        self, source: Tensor, source_mask: Tensor, target: Tensor, *, need_weights: bool = False
    ) -> TransformerOutput:
        """Runs one teacher-forced pass; arguments as in `encode` and `decode`."""
        memory, encoder_attention = self.encode(source, source_mask, need_weights=need_weights)
        states, decoder_attention, cross_attention = self.decode(target, memory, source_mask, need_weights=need_weights)
        return TransformerOutput(self.logits(states), cross_attention, encoder_attention, decoder_attention)


def normalization(config: TransformerConfig) -> nn.Module:
    """Makes a normalization over the width."""
    kind = nn.RMSNorm if config.norm_kind == "rms" else nn.LayerNorm
    return kind(config.width, eps=config.norm_epsilon)


def distances(config: TransformerConfig, *, bidirectional: bool) -> RelativePositionBias:
    """Makes the bias of relative positions for one side."""
    return RelativePositionBias(
        config.num_heads,
        num_buckets=config.relative_buckets,
        max_distance=config.relative_max_distance,
        bidirectional=bidirectional,
    )


def sinusoids(max_positions: int, width: int) -> Tensor:
    """Fixed position codes (section 3.5): float [max_positions, width], sines then cosines."""
    positions = torch.arange(max_positions, dtype=torch.float64)[:, None]
    rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(10000.0) / width))
    return torch.cat([torch.sin(positions * rates), torch.cos(positions * rates)], dim=1).float()
