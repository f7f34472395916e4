"""The project's own recurrent translators (`models/regard_models/recipes/recurrent.py`)."""

from pathlib import Path

from tokenizers import Tokenizer

from regard_export.architectures.recurrent import RecurrentArchitecture
from regard_export.checkpoints.files import require_files
from regard_export.checkpoints.source_model import SourceModel
from regard_export.descriptions.recurrent import RecurrentDescription
from regard_export.errors import ExportError
from regard_export.families.regard_checkpoints.card import (
    REQUIRED_FILES,
    TrainingTokenizerMixin,
    source_model,
    text_source,
    text_target,
)
from regard_export.references.recurrent import RecurrentReference
from regard_models.checkpoint import Checkpoint
from regard_models.nets.recurrent import RecurrentTranslator, load_translator
from regard_service.bundle import Target, TextSource

FAMILY = "regard-recurrent"


def load(folder: Path) -> SourceModel:
    """Reads a checkpoint's folder."""
    require_files(folder, *REQUIRED_FILES)
    return from_checkpoint(Checkpoint.load(folder))


def from_checkpoint(checkpoint: Checkpoint) -> SourceModel:
    """Maps a checkpoint to a source model.

    Raises:
        ExportError: the weights do not fit the config.
    """
    options = {name: value for name, value in checkpoint.config.items() if name != "family"}
    try:
        net = load_translator(options, checkpoint.weights)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ExportError(f"the checkpoint does not fit its architecture: {error}") from error
    description = RecurrentDescription(net.config, {name: x.numpy() for name, x in checkpoint.weights.items()})
    source, target = text_source(checkpoint), text_target(checkpoint)
    reference = RegardRecurrentReference(net, source, target, checkpoint.tokenizer)
    return source_model(checkpoint, RecurrentArchitecture(description), reference, source, target)


class RegardRecurrentReference(TrainingTokenizerMixin, RecurrentReference):
    """The checkpoint in PyTorch, with the tokenizer of its training."""

    def __init__(self, net: RecurrentTranslator, source: TextSource, target: Target, tokenizer: Tokenizer) -> None:
        TrainingTokenizerMixin.__init__(self, source, target, tokenizer)
        RecurrentReference.__init__(self, net, target)
