"""The project's own recurrent translators (`models/regard_models/recipes/recurrent.py`)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from regard_models.checkpoint import Checkpoint
from regard_models.nets.recurrent import Memory, RecurrentTranslator, load_translator
from regard_service.bundle import Target, TextSource
from regard_service.generation import Generation
from tokenizers import Tokenizer
from torch import Tensor

from regard.arrays import Float32Array
from regard_export.architectures.recurrent import RecurrentArchitecture
from regard_export.checkpoints.source_model import SourceModel, require_files
from regard_export.descriptions.recurrent import INITIAL, INITIAL_CELL, KEYS, STATES, RecurrentWeights
from regard_export.errors import ExportError
from regard_export.families.regard_checkpoints.card import (
    FILES,
    CheckpointTexts,
    source_model,
    text_source,
    text_target,
)
from regard_export.references.reference import Forced, Generated, Source, forced, generation_config, search

FAMILY = "regard-recurrent"


def load(folder: Path) -> SourceModel:
    """Reads a checkpoint's folder."""
    require_files(folder, *FILES)
    return from_checkpoint(Checkpoint.load(folder))


def from_checkpoint(checkpoint: Checkpoint) -> SourceModel:
    """Maps a checkpoint to its graphs and to what the manifest says of a model."""
    options = {name: value for name, value in checkpoint.config.items() if name != "family"}
    try:
        net = load_translator(options, checkpoint.weights)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ExportError(f"the checkpoint does not fit its architecture: {error}") from error
    weights = RecurrentWeights(net.config, {name: x.numpy() for name, x in checkpoint.weights.items()})
    source, target = text_source(checkpoint), text_target(checkpoint)
    reference = RecurrentReference(net, source, target, checkpoint.tokenizer)
    return source_model(checkpoint, RecurrentArchitecture(weights), reference, source, target)


class RecurrentNetReference:
    """A net in PyTorch; its search is `transformers` generate. Reads and writes no text."""

    def __init__(self, net: RecurrentTranslator, target: Target) -> None:
        self.name = f"regard_models.nets.recurrent.RecurrentTranslator, PyTorch {torch.__version__}"
        self._net = net
        self._target = target

    @torch.inference_mode()
    def memory(self, source: Source) -> dict[str, Float32Array]:
        memory = self._encode(source)
        found = {STATES: memory.states, INITIAL: memory.initial}
        if memory.keys is not memory.states:
            found[KEYS] = memory.keys
        if memory.initial_cell is not None:
            found[INITIAL_CELL] = memory.initial_cell
        return {name: x[0].numpy() for name, x in found.items()}

    def _encode(self, source: Source, num_copies: int = 1) -> Memory:
        ids = torch.tensor(source).expand(num_copies, -1)
        return self._net.encode(ids, torch.ones(ids.shape, dtype=torch.bool))

    @torch.inference_mode()
    def force(self, source: Source, target: Sequence[int]) -> Forced:
        ids = torch.tensor([source])
        output = self._net(ids, torch.ones(ids.shape, dtype=torch.bool), torch.tensor([target]), need_weights=True)
        return forced(output.logits[0], torch.cat(output.cross_attention))

    @torch.inference_mode()
    def generate(self, source: Source, generation: Generation) -> Generated:
        config = generation_config(self._target, generation, use_cache=False)
        memory = self._encode(source, generation.num_beams)

        def next_logits(ids: Tensor) -> Tensor:
            readouts, _ = self._net.decode(ids, memory)
            logits: Tensor = self._net.head(readouts[:, -1])
            return logits

        return search(next_logits, self._target.vocab_size, config)


class RecurrentReference(CheckpointTexts, RecurrentNetReference):
    """The checkpoint in PyTorch, with the tokenizer of its training."""

    def __init__(self, net: RecurrentTranslator, source: TextSource, target: Target, tokenizer: Tokenizer) -> None:
        CheckpointTexts.__init__(self, source, target, tokenizer)
        RecurrentNetReference.__init__(self, net, target)
