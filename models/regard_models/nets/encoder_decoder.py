"""Encoders of several kinds with a transformer decoder; the family in a checkpoint's config.json selects them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from torch import Tensor, nn

from regard_models.nets.bert import BertConfig, BertEncoder
from regard_models.nets.prompted_vision import PromptedVision, PromptedVisionConfig
from regard_models.nets.transformer import TransformerConfig, TransformerDecoder
from regard_models.nets.vision_transformer import VisionTransformer, VisionTransformerConfig

Family = Literal["regard-vision-transformer", "regard-bert", "regard-prompted-vision"]
EncoderConfig = VisionTransformerConfig | BertConfig | PromptedVisionConfig

CONFIGS: dict[Family, type[EncoderConfig]] = {
    "regard-vision-transformer": VisionTransformerConfig,
    "regard-bert": BertConfig,
    "regard-prompted-vision": PromptedVisionConfig,
}


@dataclass(frozen=True)
class EncoderDecoderConfig:
    """The architecture; `decoder.memory_width` is the encoder's width."""

    encoder: EncoderConfig
    decoder: TransformerConfig

    @property
    def family(self) -> Family:
        """The family's name in a checkpoint's config.json."""
        return next(family for family, kind in CONFIGS.items() if isinstance(self.encoder, kind))

    def to_json(self) -> dict[str, Any]:
        """The options for a checkpoint's config.json."""
        return {"family": self.family, "encoder": self.encoder.to_json(), "decoder": asdict(self.decoder)}

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> "EncoderDecoderConfig":
        """The inverse of `to_json`.

        Raises:
            ValueError: the family is unknown, or its options are invalid.
        """
        family = options.get("family")
        if family not in CONFIGS:
            raise ValueError(f"{family!r} is none of {', '.join(CONFIGS)}")
        try:
            encoder = CONFIGS[family].from_json(options["encoder"])
            return cls(encoder, TransformerConfig(**options["decoder"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"the options do not fit the family {family!r}: {error}") from error


@dataclass(frozen=True)
class EncoderDecoderOutput:
    """One teacher-forced pass.

    Attributes:
        logits: float [batch, target, vocabulary].
        cross_attention: one float [batch, heads, target, source] per decoder layer; empty unless requested.
    """

    logits: Tensor
    cross_attention: list[Tensor]


class EncoderDecoder(nn.Module):
    """A vision transformer, BERT or both, and a decoder that reads their states.

    Args:
        config: the architecture.
        dropout: probability, in training only: on embeddings and on every sublayer's output.

    Raises:
        ValueError: the decoder's memory width is not the encoder's width.
    """

    def __init__(self, config: EncoderDecoderConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        width = config.decoder.memory_width or config.decoder.width
        if config.encoder.width != width:
            raise ValueError(
                f"the decoder reads states of width {width}; the encoder's are {config.encoder.width} wide"
            )
        self.config = config
        self.encoder = _encoder(config.encoder, dropout)
        self.decoder = TransformerDecoder(config.decoder, dropout=dropout)

    def states(self, source: Tensor, source_mask: Tensor | None = None) -> Tensor:
        """The encoder's states, to which the decoder attends.

        Args:
            source: int64 [batch, source], a text, or float [batch, 3, height, width], pixels.
            source_mask: bool [batch, source] for a text, False on padding; None means no padding.

        Returns:
            float [batch, source, memory width].
        """
        match self.encoder:
            case BertEncoder():
                return self.encoder(source, source_mask)[0]
            case VisionTransformer():
                return self.encoder(source)[0]
            case _:
                states: Tensor = self.encoder(source)
                return states

    def forward(
        self, source: Tensor, target: Tensor, source_mask: Tensor | None = None, *, need_weights: bool = False
    ) -> EncoderDecoderOutput:
        """Runs one teacher-forced pass.

        Args:
            source, source_mask: as in `states`.
            target: int64 [batch, target]; the start token first.
        """
        memory = self.states(source, source_mask)
        states, _, cross_attention = self.decoder.decode(target, memory, source_mask, need_weights=need_weights)
        return EncoderDecoderOutput(self.decoder.logits(states), cross_attention)


def _encoder(config: EncoderConfig, dropout: float) -> nn.Module:
    match config:
        case VisionTransformerConfig():
            return VisionTransformer(config, dropout=dropout)
        case BertConfig():
            return BertEncoder(config, dropout=dropout)
        case PromptedVisionConfig():
            return PromptedVision(config, dropout=dropout)
