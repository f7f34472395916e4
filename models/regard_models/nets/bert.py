"""BERT (Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding"), as an
encoder of texts.

    x = LN(token + position + segment)                                              (figure 2)

followed by the layers of Vaswani et al. 2017, normalizations last, with GELU (Hendrycks & Gimpel 2016). The layers are
those of `models/regard_models/nets/transformer.py`. The encoder omits the pooler and the heads of pre-training.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from regard_models.nets.transformer import Activation, EncoderLayer, TransformerConfig


@dataclass(frozen=True)
class BertConfig:
    """The architecture.

    Attributes:
        max_positions: longest text, in pieces.
        num_segments: kinds of sentences, such as the first and the second of a pair.
    """

    vocab_size: int
    width: int
    num_heads: int
    num_layers: int
    feed_forward_width: int
    max_positions: int = 512
    num_segments: int = 2
    activation: Activation = "gelu"
    norm_epsilon: float = 1e-12

    @property
    def layers(self) -> TransformerConfig:
        """The layers as the encoder of an encoder-decoder transformer, which has no segments."""
        return TransformerConfig(
            vocab_size=self.vocab_size,
            width=self.width,
            num_heads=self.num_heads,
            encoder_layers=self.num_layers,
            decoder_layers=0,
            feed_forward_width=self.feed_forward_width,
            norm="post",
            activation=self.activation,
            positions="learned",
            max_positions=self.max_positions,
            scale_embeddings=False,
            final_norm=False,
            tie_embeddings=False,
            embedding_norm=True,
            norm_epsilon=self.norm_epsilon,
        )

    def to_json(self) -> dict[str, Any]:
        """The options for a checkpoint's config.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> "BertConfig":
        """The inverse of `to_json`."""
        return cls(**options)


class BertEncoder(nn.Module):
    """Embeddings and layers.

    Args:
        config: the architecture.
        dropout: probability, in training only: on embeddings and on every sublayer's output.
    """

    def __init__(self, config: BertConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.encoder_positions = nn.Embedding(config.max_positions, config.width)
        self.segments = nn.Embedding(config.num_segments, config.width)
        self.encoder_embedding_norm = nn.LayerNorm(config.width, eps=config.norm_epsilon)
        self.dropout = nn.Dropout(dropout)
        self.encoder = nn.ModuleList(EncoderLayer(config.layers, dropout) for _ in range(config.num_layers))
        for table in (self.embedding, self.encoder_positions, self.segments):
            nn.init.normal_(table.weight, std=0.02)

    def embed(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        """ids, segments: int64 [batch, n] -> float [batch, n, width]; None means the first segment everywhere."""
        positions = self.encoder_positions.weight[: ids.shape[1]]
        segment = self.segments(torch.zeros_like(ids) if segments is None else segments)
        x: Tensor = self.dropout(self.encoder_embedding_norm(self.embedding(ids) + positions + segment))
        return x

    def forward(
        self, ids: Tensor, mask: Tensor | None, segments: Tensor | None = None, *, need_weights: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """Encodes a batch of texts.

        Args:
            ids: int64 [batch, source].
            mask: bool [batch, source], False on padding; None means no padding.
            segments: int64 [batch, source]; None means the first segment everywhere.

        Returns:
            states: float [batch, source, width].
            weights: one float [batch, heads, source, source] per layer; empty unless requested.
        """
        x, all_weights = self.embed(ids, segments), []
        for layer in self.encoder:
            x, weights = layer(x, None if mask is None else mask[:, None, None], need_weights=need_weights)
            all_weights += [weights] if need_weights else []
        return x, all_weights
