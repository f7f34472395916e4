"""The encoder-decoder transformer (Vaswani et al. 2017), with the options that real checkpoints need.

One description (`TransformerConfig` and the parameter names of `Transformer`) stands for every
family of checkpoints; `export/` turns it into serving graphs.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.attention.multi_head import MultiHeadAttention

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "silu": functional.silu,
}


@dataclass(frozen=True)
class TransformerConfig:
    """What the weights alone do not tell about a transformer.

    Attributes:
        vocab_size: pieces; the source and the target share one vocabulary.
        width: model width, a multiple of `num_heads`.
        norm: "pre" normalizes each sublayer's input, "post" its sum with the residual.
        positions: "sinusoidal" (fixed; sines in the first half of the width, cosines in the second)
            or "learned".
        max_positions: longest source or target, in pieces.
        scale_embeddings: multiply embeddings by sqrt(width) (section 3.4).
        final_norm: a normalization after the last layer of each stack (customary with "pre").
        tie_embeddings: the output projection is the embedding table.
        output_bias: a bias on the logits.
    """

    vocab_size: int
    width: int
    num_heads: int
    encoder_layers: int
    decoder_layers: int
    feed_forward_width: int
    norm: Literal["pre", "post"] = "pre"
    activation: Literal["relu", "gelu", "silu"] = "relu"
    positions: Literal["sinusoidal", "learned"] = "sinusoidal"
    max_positions: int = 512
    bias: bool = True
    scale_embeddings: bool = True
    final_norm: bool = True
    tie_embeddings: bool = True
    output_bias: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class TransformerOutput:
    """One teacher-forced pass.

    Attributes:
        logits: float [batch, target, vocabulary].
        cross_attention: one float [batch, heads, target, source] a decoder layer; empty unless asked for.
        encoder_attention: one float [batch, heads, source, source] an encoder layer; likewise.
        decoder_attention: one float [batch, heads, target, target] a decoder layer; likewise.
    """

    logits: Tensor
    cross_attention: list[Tensor]
    encoder_attention: list[Tensor]
    decoder_attention: list[Tensor]


class FeedForward(nn.Module):
    """FFN(x) = activation(x W_1 + b_1) W_2 + b_2 (section 3.3)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.inner = nn.Linear(config.width, config.feed_forward_width, bias=config.bias)
        self.outer = nn.Linear(config.feed_forward_width, config.width, bias=config.bias)
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(self.activation(self.inner(x)))


class Sublayer(nn.Module):
    """Residual connection, normalization and dropout around a sublayer (section 3.1)."""

    def __init__(self, config: TransformerConfig, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width)
        self.norm_first = config.norm == "pre"
        self.dropout = nn.Dropout(dropout)

    def before(self, x: Tensor) -> Tensor:
        return self.norm(x) if self.norm_first else x

    def after(self, x: Tensor, update: Tensor) -> Tensor:
        x = x + self.dropout(update)
        return x if self.norm_first else self.norm(x)


class EncoderLayer(nn.Module):
    def __init__(self, config: TransformerConfig, dropout: float) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(config.width, config.num_heads, bias=config.bias)
        self.self_attention_sublayer = Sublayer(config, dropout)
        self.feed_forward = FeedForward(config)
        self.feed_forward_sublayer = Sublayer(config, dropout)

    def forward(self, x: Tensor, mask: Tensor | None, *, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        """x: float [batch, source, width]; mask: bool [batch, 1, 1, source]."""
        y = self.self_attention_sublayer.before(x)
        update, weights = self.self_attention(y, y, mask, need_weights=need_weights)
        x = self.self_attention_sublayer.after(x, update)
        update = self.feed_forward(self.feed_forward_sublayer.before(x))
        return self.feed_forward_sublayer.after(x, update), weights


class DecoderLayer(nn.Module):
    def __init__(self, config: TransformerConfig, dropout: float) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(config.width, config.num_heads, bias=config.bias)
        self.self_attention_sublayer = Sublayer(config, dropout)
        self.cross_attention = MultiHeadAttention(config.width, config.num_heads, bias=config.bias)
        self.cross_attention_sublayer = Sublayer(config, dropout)
        self.feed_forward = FeedForward(config)
        self.feed_forward_sublayer = Sublayer(config, dropout)

    def forward(
        self, x: Tensor, memory: Tensor, causal_mask: Tensor, source_mask: Tensor | None, *, need_weights: bool
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Runs one layer.

        Args:
            x: float [batch, target, width].
            memory: float [batch, source, width].
            causal_mask: bool [target, target].
            source_mask: bool [batch, 1, 1, source].
        """
        y = self.self_attention_sublayer.before(x)
        update, self_weights = self.self_attention(y, y, causal_mask, need_weights=need_weights)
        x = self.self_attention_sublayer.after(x, update)
        y = self.cross_attention_sublayer.before(x)
        update, cross_weights = self.cross_attention(y, memory, source_mask, need_weights=need_weights)
        x = self.cross_attention_sublayer.after(x, update)
        update = self.feed_forward(self.feed_forward_sublayer.before(x))
        return self.feed_forward_sublayer.after(x, update), self_weights, cross_weights


class Transformer(nn.Module):
    """Encoder and decoder over one shared vocabulary.

    Args:
        config: the architecture.
        dropout: probability, in training only: on embeddings and on every sublayer's output.
    """

    sinusoids: Tensor

    def __init__(self, config: TransformerConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        if config.positions == "learned":
            self.encoder_positions = nn.Embedding(config.max_positions, config.width)
            self.decoder_positions = nn.Embedding(config.max_positions, config.width)
        else:
            self.register_buffer("sinusoids", sinusoids(config.max_positions, config.width), persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.encoder = nn.ModuleList(EncoderLayer(config, dropout) for _ in range(config.encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(config, dropout) for _ in range(config.decoder_layers))
        self.encoder_norm = nn.LayerNorm(config.width) if config.final_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(config.width) if config.final_norm else nn.Identity()
        self.head = nn.Linear(config.width, config.vocab_size, bias=config.output_bias)
        if config.tie_embeddings:
            self.head.weight = self.embedding.weight
        self._initialize()

    def _initialize(self) -> None:
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        nn.init.normal_(self.embedding.weight, std=self.config.width**-0.5)

    def embed(self, ids: Tensor, side: Literal["encoder", "decoder"], *, first_position: int = 0) -> Tensor:
        """ids: int64 [batch, n], of positions `first_position` and on -> float [batch, n, width]."""
        x = self.embedding(ids)
        if self.config.scale_embeddings:
            x = x * math.sqrt(self.config.width)
        return self.dropout(x + self._position_table(side)[first_position : first_position + ids.shape[1]])

    def _position_table(self, side: Literal["encoder", "decoder"]) -> Tensor:
        """Float [max_positions, width]."""
        if self.config.positions == "sinusoidal":
            return self.sinusoids
        return self.encoder_positions.weight if side == "encoder" else self.decoder_positions.weight

    def encode(self, source: Tensor, source_mask: Tensor, *, need_weights: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Encodes a batch of sources.

        Args:
            source: int64 [batch, source].
            source_mask: bool [batch, source]; False on padding.

        Returns:
            memory: float [batch, source, width].
            weights: one float [batch, heads, source, source] a layer, if asked for.
        """
        return self.encode_embedded(self.embed(source, "encoder"), source_mask, need_weights=need_weights)

    def encode_embedded(
        self, x: Tensor, source_mask: Tensor | None, *, need_weights: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """As `encode`, of a source that is no text; x: float [batch, source, width], positions added."""
        mask, all_weights = None if source_mask is None else source_mask[:, None, None], []
        for layer in self.encoder:
            x, weights = layer(x, mask, need_weights=need_weights)
            all_weights += [weights] if need_weights else []
        return self.encoder_norm(x), all_weights

    def decode(
        self, target: Tensor, memory: Tensor, source_mask: Tensor, *, need_weights: bool = False
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Decodes target prefixes, every position at once.

        Args:
            target: int64 [batch, target]; the start token first.
            memory: float [batch, source, width].
            source_mask: bool [batch, source].

        Returns:
            states: float [batch, target, width], what `head` turns into logits.
            self_weights, cross_weights: one tensor a layer, if asked for.
        """
        n = target.shape[1]
        causal_mask = torch.ones(n, n, dtype=torch.bool, device=target.device).tril()
        x, all_self, all_cross = self.embed(target, "decoder"), [], []
        for layer in self.decoder:
            x, self_weights, cross_weights = layer(
                x, memory, causal_mask, source_mask[:, None, None], need_weights=need_weights
            )
            all_self += [self_weights] if need_weights else []
            all_cross += [cross_weights] if need_weights else []
        return self.decoder_norm(x), all_self, all_cross

    def forward(
        self, source: Tensor, source_mask: Tensor, target: Tensor, *, need_weights: bool = False
    ) -> TransformerOutput:
        """Runs one teacher-forced pass; arguments as in `encode` and `decode`."""
        memory, encoder_attention = self.encode(source, source_mask, need_weights=need_weights)
        states, decoder_attention, cross_attention = self.decode(target, memory, source_mask, need_weights=need_weights)
        return TransformerOutput(self.head(states), cross_attention, encoder_attention, decoder_attention)


def sinusoids(max_positions: int, width: int) -> Tensor:
    """Fixed position codes (section 3.5): float [max_positions, width], sines then cosines."""
    positions = torch.arange(max_positions, dtype=torch.float64)[:, None]
    rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(10000.0) / width))
    return torch.cat([torch.sin(positions * rates), torch.cos(positions * rates)], dim=1).float()
