"""The project's own transformers."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from regard_export.architectures.transformer import TransformerArchitecture
from regard_export.checkpoints.files import require_files
from regard_export.checkpoints.source_model import SourceModel
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.errors import ExportError
from regard_export.families.regard_checkpoints.card import (
    REQUIRED_FILES,
    TrainingTokenizerMixin,
    source_model,
    text_source,
    text_target,
)
from regard_export.references.transformer import TransformerReference
from regard_models.checkpoint import Checkpoint
from regard_models.nets.transformer_config import TransformerConfig
from regard_service.bundle import Target, TextSource

FAMILY = "regard-transformer"


def load(folder: Path) -> SourceModel:
    """Reads a checkpoint's folder."""
    require_files(folder, *REQUIRED_FILES)
    return from_checkpoint(Checkpoint.load(folder))


def from_checkpoint(checkpoint: Checkpoint) -> SourceModel:
    """Maps a checkpoint to a source model.

    Raises:
        ExportError: the weights do not fit the config, or the config has unknown options.
    """
    config = _config(checkpoint.config)
    description = TransformerDescription(config, {name: x.numpy() for name, x in checkpoint.weights.items()})
    source, target = text_source(checkpoint), text_target(checkpoint)
    reference = RegardTransformerReference(description, source, target, checkpoint.tokenizer)
    architecture = TransformerArchitecture(description)
    return source_model(checkpoint, architecture, reference, source, target, max_positions=config.max_positions)


class RegardTransformerReference(TrainingTokenizerMixin, TransformerReference):
    """The checkpoint in PyTorch, with the tokenizer of its training."""

    def __init__(
        self, description: TransformerDescription, source: TextSource, target: Target, tokenizer: Tokenizer
    ) -> None:
        TrainingTokenizerMixin.__init__(self, source, target, tokenizer)
        TransformerReference.__init__(self, description, target)


def _config(options: dict[str, Any]) -> TransformerConfig:
    """The config that config.json states beside its family."""
    unknown = options.keys() - {field.name for field in fields(TransformerConfig)} - {"family"}
    if unknown:
        raise ExportError(f"config.json has unsupported options: {', '.join(sorted(unknown))}")
    return TransformerConfig(**{name: value for name, value in options.items() if name != "family"})
