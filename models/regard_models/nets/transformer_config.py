"""The options of a transformer. This module needs no PyTorch: graphs are built from a config and arrays alone."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Side = Literal["encoder", "decoder"]
Activation = Literal["relu", "gelu", "gelu_tanh", "silu"]


@dataclass(frozen=True)
class TransformerConfig:
    """The options of a transformer, which its weights do not determine.

    Attributes:
        vocab_size: pieces of the target, and of the source unless it has its own vocabulary.
        source_vocab_size: pieces of a source with its own vocabulary and embedding table.
        width: model width, a multiple of `num_heads` unless `head_width` is given.
        head_width: width of an attention head; None means `width / num_heads`.
        encoder_heads, encoder_feed_forward_width: of the encoder's layers; None means the decoder's values.
        norm: "pre" normalizes each sublayer's input, "post" its sum with the residual.
        norm_kind: "layer" is Ba et al. 2016, "rms" Zhang & Sennrich 2019, with neither mean nor bias.
        gated: the feed-forward sublayer multiplies its activation with a second projection (Shazeer 2020).
        positions: "sinusoidal" (fixed; sines in the first half of the width, cosines in the second), "learned", or
            "relative" (Raffel et al. 2020: a bias on self-attention's scores, the same in all layers of a side).
        relative_buckets, relative_max_distance: for relative positions, see `attention/relative_position.py`.
        max_positions: longest source or target, in pieces.
        scale_embeddings: multiply embeddings by sqrt(width) (section 3.4).
        final_norm: a normalization after the last layer of each stack (customary with "pre").
        scale_attention: divide attention's scores by sqrt(head width) (section 3.2.1).
        tie_embeddings: the output projection is the embedding table.
        output_bias: a bias on the logits.
        head_scale: factor on the states before the projection to the vocabulary.
        embedding_norm: a normalization of the sum of embeddings and positions.
        norm_epsilon: epsilon of every normalization.
        memory_width: width of the memory that the decoder attends to; None means `width`.
        head_transform: a linear layer of the model's width, the activation and a normalization before the logits (as in
            BERT's masked language model, Devlin et al. 2019).
    """

    vocab_size: int
    width: int
    num_heads: int
    encoder_layers: int
    decoder_layers: int
    feed_forward_width: int
    norm: Literal["pre", "post"] = "pre"
    activation: Activation = "relu"
    positions: Literal["sinusoidal", "learned", "relative"] = "sinusoidal"
    max_positions: int = 512
    bias: bool = True
    scale_embeddings: bool = True
    final_norm: bool = True
    tie_embeddings: bool = True
    output_bias: bool = False
    source_vocab_size: int | None = None
    head_width: int | None = None
    encoder_heads: int | None = None
    encoder_feed_forward_width: int | None = None
    norm_kind: Literal["layer", "rms"] = "layer"
    gated: bool = False
    relative_buckets: int = 32
    relative_max_distance: int = 128
    scale_attention: bool = True
    head_scale: float = 1.0
    embedding_norm: bool = False
    norm_epsilon: float = 1e-5
    memory_width: int | None = None
    head_transform: bool = False

    def to_json(self) -> dict[str, Any]:
        """The options for a checkpoint's config.json."""
        return asdict(self)

    @property
    def of_encoder(self) -> "TransformerConfig":
        """The configuration with the encoder's sizes in place of the decoder's."""
        return replace(
            self,
            vocab_size=self.source_vocab_size or self.vocab_size,
            num_heads=self.encoder_heads or self.num_heads,
            feed_forward_width=self.encoder_feed_forward_width or self.feed_forward_width,
        )

    @property
    def width_of_head(self) -> int:
        """Width of an attention head."""
        return self.head_width or self.width // self.num_heads

    @property
    def attention_width(self) -> int:
        """Width of all heads together."""
        return self.num_heads * self.width_of_head
