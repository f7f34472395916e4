"""The project's own models whose encoder is a vision transformer, a BERT, or both fused."""

from dataclasses import replace
from pathlib import Path

from tokenizers import Tokenizer

from regard_export.architectures.encoder import Encoder
from regard_export.architectures.encoder_decoder import EncoderDecoderArchitecture
from regard_export.architectures.prompted_vision import PromptedVisionEncoder
from regard_export.architectures.transformer_encode import TextEncoder
from regard_export.architectures.vision_transformer import VisionEncoder
from regard_export.checkpoints.files import require_files
from regard_export.checkpoints.source_model import SourceModel
from regard_export.checkpoints.weight_names import weights_under
from regard_export.descriptions.encoders import BertDescription, FusionDescription, VisionDescription
from regard_export.descriptions.layers import Weights
from regard_export.descriptions.transformer import DecoderDescription
from regard_export.errors import ExportError
from regard_export.families.regard_checkpoints.card import (
    REQUIRED_FILES,
    TrainingTokenizerMixin,
    source_model,
    text_source,
    text_target,
)
from regard_export.references.transformer import DecoderReference
from regard_models.checkpoint import Checkpoint
from regard_models.nets.bert import BertConfig
from regard_models.nets.encoder_decoder import CONFIGS, EncoderConfig, EncoderDecoder, EncoderDecoderConfig
from regard_models.nets.prompted_vision import PromptedVisionConfig
from regard_models.nets.vision_transformer import VisionTransformerConfig
from regard_service.bundle import ImageSource, Target, TextSource

FAMILIES = tuple(CONFIGS)


def load(folder: Path) -> SourceModel:
    """Reads a checkpoint's folder."""
    require_files(folder, *REQUIRED_FILES)
    return from_checkpoint(Checkpoint.load(folder))


def from_checkpoint(checkpoint: Checkpoint) -> SourceModel:
    """Maps a checkpoint to a source model.

    Raises:
        ExportError: the weights do not fit the config.
    """
    try:
        config = EncoderDecoderConfig.from_json(checkpoint.config)
        net = EncoderDecoder(config)
        tied = {"decoder.head.weight": "decoder.embedding.weight"} if config.decoder.tie_embeddings else {}
        net.load_state_dict({**checkpoint.weights, **{name: checkpoint.weights[other] for name, other in tied.items()}})
    except (ValueError, RuntimeError, KeyError) as error:
        raise ExportError(f"the checkpoint does not fit its architecture: {error}") from error
    weights = {name: x.numpy() for name, x in checkpoint.weights.items()}
    decoder = DecoderDescription(config.decoder, weights_under(weights, "decoder."))
    architecture = EncoderDecoderArchitecture(_encoder(config.encoder, weights_under(weights, "encoder.")), decoder)
    target = text_target(checkpoint, vocab_size=config.decoder.vocab_size)
    name = f"{config.family} of regard_models.nets.encoder_decoder"
    reference = DecoderReference(name, decoder, net.eval().decoder, net.states, target)
    limit = config.decoder.max_positions
    if isinstance(config.encoder, BertConfig):
        texts = text_source(checkpoint)
        limit = min(limit, config.encoder.max_positions)
        text_reference = BertReference(texts, checkpoint.tokenizer, name, decoder, net, target)
        return source_model(checkpoint, architecture, text_reference, texts, target, max_positions=limit)
    pictures = image_source(config.encoder)
    model = source_model(checkpoint, architecture, reference, pictures, target, max_positions=limit)
    return replace(model, max_source_tokens=pictures.num_positions)


class BertReference(TrainingTokenizerMixin, DecoderReference):
    """A model of texts, with the tokenizer of its training."""

    def __init__(
        self,
        source: TextSource,
        tokenizer: Tokenizer,
        name: str,
        description: DecoderDescription,
        net: EncoderDecoder,
        target: Target,
    ) -> None:
        TrainingTokenizerMixin.__init__(self, source, target, tokenizer)
        DecoderReference.__init__(self, name, description, net.decoder, net.states, target)


def image_source(encoder: VisionTransformerConfig | PromptedVisionConfig) -> ImageSource:
    """The preprocessing of pictures, and where the patches are on the source axis: behind prompt and class tokens."""
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
                VisionDescription(config.vision.layers, weights_under(weights, "vision."), vision=config.vision),
                BertDescription(config.text.layers, weights_under(weights, "text."), bert=config.text),
                FusionDescription(config.fusion.layers, weights_under(weights, "fusion."), fusion=config.fusion),
            )
