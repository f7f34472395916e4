"""The project's own models whose encoder is a vision transformer, BERT, or both fused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from regard_models.checkpoint import Checkpoint
from regard_models.nets.bert import BertConfig
from regard_models.nets.encoder_decoder import CONFIGS, EncoderConfig, EncoderDecoder, EncoderDecoderConfig
from regard_models.nets.prompted_vision import PromptedVisionConfig
from regard_models.nets.vision_transformer import VisionTransformerConfig
from regard_service.bundle import ImageSource, Target, TextSource
from tokenizers import Tokenizer

from regard_export.architectures.encoder_decoder import Encoder, EncoderDecoderArchitecture
from regard_export.architectures.prompted_vision import PromptedVisionEncoder
from regard_export.architectures.transformer_encode import TextEncoder
from regard_export.architectures.vision_transformer import VisionEncoder
from regard_export.checkpoints.source_model import SourceModel, require_files
from regard_export.checkpoints.weight_mapping import Weights, under
from regard_export.descriptions.encoders import BertDescription, FusionDescription, VisionDescription
from regard_export.descriptions.transformer import DecoderDescription
from regard_export.errors import ExportError
from regard_export.families.regard_checkpoints.card import (
    FILES,
    CheckpointTexts,
    source_model,
    text_source,
    text_target,
)
from regard_export.references.reference import DecoderReference

FAMILIES = tuple(CONFIGS)


def load(folder: Path) -> SourceModel:
    """Reads a checkpoint's folder."""
    require_files(folder, *FILES)
    return from_checkpoint(Checkpoint.load(folder))


def from_checkpoint(checkpoint: Checkpoint) -> SourceModel:
    """Maps a checkpoint to its graphs and to what the manifest says of a model."""
    try:
        config = EncoderDecoderConfig.from_json(checkpoint.config)
        net = EncoderDecoder(config)
        tied = {"decoder.head.weight": "decoder.embedding.weight"} if config.decoder.tie_embeddings else {}
        net.load_state_dict({**checkpoint.weights, **{name: checkpoint.weights[other] for name, other in tied.items()}})
    except (ValueError, RuntimeError, KeyError) as error:
        raise ExportError(f"the checkpoint does not fit its architecture: {error}") from error
    weights = {name: x.numpy() for name, x in checkpoint.weights.items()}
    decoder = DecoderDescription(config.decoder, under(weights, "decoder."))
    architecture = EncoderDecoderArchitecture(_encoder(config.encoder, under(weights, "encoder.")), decoder)
    target = text_target(checkpoint, vocab_size=config.decoder.vocab_size)
    parts = (f"{config.family} of regard_models.nets.encoder_decoder", decoder, net.eval().decoder, net.states, target)
    limit = config.decoder.max_positions
    if isinstance(config.encoder, BertConfig):
        texts = text_source(checkpoint)
        reference = BertReference(texts, target, checkpoint.tokenizer, *parts)
        longest = config.encoder.max_positions
        return source_model(checkpoint, architecture, reference, texts, target, max_positions=min(limit, longest))
    pictures = image_source(config.encoder)
    model = source_model(checkpoint, architecture, DecoderReference(*parts), pictures, target, max_positions=limit)
    return replace(model, max_source_tokens=pictures.num_positions)


class BertReference(CheckpointTexts, DecoderReference):
    """A model of texts, with the tokenizer of its training; `parts` are `DecoderReference`'s."""

    def __init__(self, source: TextSource, target: Target, tokenizer: Tokenizer, *parts: Any) -> None:
        CheckpointTexts.__init__(self, source, target, tokenizer)
        DecoderReference.__init__(self, *parts)


def image_source(encoder: VisionTransformerConfig | PromptedVisionConfig) -> ImageSource:
    """How a picture becomes what the encoder's training saw; a prompt's words stand before its positions."""
    vision = encoder if isinstance(encoder, VisionTransformerConfig) else encoder.vision
    return ImageSource(
        height=vision.image_height,
        width=vision.image_width,
        mean=(vision.mean,) * 3,
        std=(vision.std,) * 3,
        resize="squash",
        grid=vision.grid,
        first_position=encoder.num_positions - vision.grid[0] * vision.grid[1],
    )


def _encoder(config: EncoderConfig, weights: Weights) -> Encoder:
    match config:
        case VisionTransformerConfig():
            return VisionEncoder(VisionDescription(config.layers, weights, vision=config))
        case BertConfig():
            return TextEncoder(BertDescription(config.layers, weights, bert=config))
        case PromptedVisionConfig():
            return PromptedVisionEncoder(
                config,
                VisionDescription(config.vision.layers, under(weights, "vision."), vision=config.vision),
                BertDescription(config.text.layers, under(weights, "text."), bert=config.text),
                FusionDescription(config.fusion.layers, under(weights, "fusion."), fusion=config.fusion),
            )
