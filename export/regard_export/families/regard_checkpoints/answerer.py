"""The project's own net that answers questions about pictures (`models/regard_models/recipes/answerer.py`)."""

from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from regard.arrays import Float32Array
from regard_export.architectures.answerer import AnswererEncoder
from regard_export.architectures.encoder_only import EncoderOnlyArchitecture
from regard_export.architectures.output_heads import HeadLayer, LabelsHead
from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.files import require_files
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.checkpoints.weight_names import weights_under
from regard_export.descriptions.encoders import BertDescription, FusionDescription
from regard_export.descriptions.layers import Linear, Weights
from regard_export.errors import ExportError
from regard_export.families.regard_checkpoints.card import REQUIRED_FILES, TOKENIZER_FILE, provenance
from regard_export.references.protocols import Source, as_array
from regard_models.checkpoint import Checkpoint
from regard_models.nets.answerer import Answerer, AnswererConfig
from regard_models.recipes.picture_questions import CLASS
from regard_service.bundle import LOGITS, ImageSource, LabelsOutput, QuestionSource, TextSource
from regard_service.engine.runtime.questions import ids_of, pixels_of

FAMILY = "regard-answerer"


def load(folder: Path, load_options: LoadOptions) -> EncoderModel:
    """Reads a checkpoint's folder. Raises ExportError: a file is missing, or the checkpoint is for another task."""
    if load_options.task not in (None, "answering"):
        raise ExportError(f"this checkpoint does answering, not {load_options.task}")
    require_files(folder, *REQUIRED_FILES)
    return from_checkpoint(Checkpoint.load(folder))


def from_checkpoint(checkpoint: Checkpoint) -> EncoderModel:
    """Maps a checkpoint. Raises ExportError: the weights do not fit the config."""
    try:
        config = AnswererConfig.from_json(checkpoint.config)
        net = Answerer(config, is_folded=True)
        net.load_state_dict(checkpoint.weights)
    except (ValueError, RuntimeError, KeyError) as error:
        raise ExportError(f"the checkpoint does not fit its architecture: {error}") from error
    weights, card = {name: x.numpy() for name, x in checkpoint.weights.items()}, checkpoint.card
    question = TextSource(tokenizer=TOKENIZER_FILE, prefix_ids={"": (checkpoint.tokenizer.get_vocab()[CLASS],)})
    head = LabelsHead((HeadLayer(Linear.of(weights, "head")),))
    return EncoderModel(
        family=FAMILY,
        task="answering",
        architecture=EncoderOnlyArchitecture(_encoder(config, weights), head),
        reference=AnswererReference(net, checkpoint.tokenizer),
        source=QuestionSource(picture=_picture(config, card["pixels"]), question=question),
        output=LabelsOutput(labels=tuple(card["labels"])),
        tokenizers={TOKENIZER_FILE: checkpoint.tokenizer.to_str()},
        max_source_tokens=config.text.max_positions,
        provenance=provenance(card),
        summary=card.get("description", ""),
        scores=card.get("scores", {}),
    )


def _encoder(config: AnswererConfig, weights: Weights) -> AnswererEncoder:
    own = {name: weight for name, weight in weights.items() if name.startswith(("convolutions.", "positions"))}
    return AnswererEncoder(
        config,
        own,
        BertDescription(config.text.layers, weights_under(weights, "words."), bert=config.text),
        FusionDescription(config.fusion.layers, weights_under(weights, "fusion."), fusion=config.fusion),
    )


def _picture(config: AnswererConfig, pixels: dict[str, float]) -> ImageSource:
    """The preprocessing of pictures; as in the training, they are squashed to a square."""
    return ImageSource(
        height=config.image_size,
        width=config.image_size,
        mean=(pixels["mean"],) * 3,
        std=(pixels["std"],) * 3,
        resize="squash",
        grid=config.grid,
    )


class AnswererReference:
    """The checkpoint in PyTorch, see `TextEncoderReference`."""

    def __init__(self, net: Answerer, tokenizer: Tokenizer) -> None:
        self.name = f"{type(net).__module__}.{type(net).__name__}, PyTorch {torch.__version__}"
        self._net, self._tokenizer = net.eval(), tokenizer
        self.special_ids = frozenset(tokenizer.get_added_tokens_decoder())

    def tokenize(self, text: str) -> list[int]:
        """See `TextEncoderReference`."""
        return [self._tokenizer.get_vocab()[CLASS], *self._tokenizer.encode(text).ids]

    @torch.inference_mode()
    def outputs(self, source: Source) -> dict[str, Float32Array]:
        """See `EncoderReference`."""
        return {LOGITS: self._net(*_inputs(source))[0].numpy()}

    @torch.inference_mode()
    def attention(self, source: Source) -> Float32Array:
        """See `EncoderReference`: of each layer the attention to the other side, then to the own, text first."""
        pixels, ids = _inputs(source)
        fused = self._net.fused(self._net.cells(pixels), ids, None, need_weights=True)
        num_words = ids.shape[1]
        layers = []
        for layers_of in zip(
            fused.text_to_regions, fused.regions_to_text, fused.text_to_text, fused.regions_to_regions, strict=True
        ):
            other, other_back, text, regions = (weights[0] for weights in layers_of)
            size = num_words + regions.shape[-1]
            crossed, own = torch.zeros(2, len(text), size, size)
            crossed[:, :num_words, num_words:], crossed[:, num_words:, :num_words] = other, other_back
            own[:, :num_words, :num_words], own[:, num_words:, num_words:] = text, regions
            layers += [crossed, own]
        weights: Float32Array = torch.stack(layers).numpy()
        return weights


def _inputs(source: Source) -> tuple[torch.Tensor, torch.Tensor]:
    record = as_array(source)
    pixels, ids = (torch.from_numpy(np.array(part(record)))[None] for part in (pixels_of, ids_of))
    return pixels, ids
