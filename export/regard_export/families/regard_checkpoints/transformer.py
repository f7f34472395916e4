"""The project's own transformers: recipes write their checkpoints, export reads them."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from regard_models.checkpoint import Checkpoint
from regard_models.nets.transformer import TransformerConfig
from regard_service.bundle import Target, TextSource
from tokenizers import Tokenizer

from regard_export.architectures.transformer import TransformerArchitecture
from regard_export.checkpoints.source_model import SourceModel, require_files
from regard_export.descriptions.transformer import Description
from regard_export.errors import ExportError
from regard_export.families.regard_checkpoints.card import (
    FILES,
    CheckpointTexts,
    source_model,
    text_source,
    text_target,
)
from regard_export.references.reference import TransformerReference

FAMILY = "regard-transformer"


def load(folder: Path) -> SourceModel:
    """Reads a checkpoint's folder."""
    require_files(folder, *FILES)
    return from_checkpoint(Checkpoint.load(folder))


def from_checkpoint(checkpoint: Checkpoint) -> SourceModel:
    """Maps a checkpoint to the description and to what the manifest says of a model."""
    config = _config(checkpoint.config)
    description = Description(config, {name: x.numpy() for name, x in checkpoint.weights.items()})
    source, target = text_source(checkpoint), text_target(checkpoint)
    reference = RegardReference(description, source, target, checkpoint.tokenizer)
    architecture = TransformerArchitecture(description)
    return source_model(checkpoint, architecture, reference, source, target, max_positions=config.max_positions)


class RegardReference(CheckpointTexts, TransformerReference):
    """The checkpoint in PyTorch, with the tokenizer of its training."""

    def __init__(self, description: Description, source: TextSource, target: Target, tokenizer: Tokenizer) -> None:
        CheckpointTexts.__init__(self, source, target, tokenizer)
        TransformerReference.__init__(self, description, target)


def _config(options: dict[str, Any]) -> TransformerConfig:
    """The architecture that config.json states, beside its family."""
    unknown = options.keys() - {field.name for field in fields(TransformerConfig)} - {"family"}
    if unknown:
        raise ExportError(f"config.json asks for what is not supported: {', '.join(sorted(unknown))}")
    return TransformerConfig(**{name: value for name, value in options.items() if name != "family"})
