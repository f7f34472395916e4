"""The project's own pointer-generators (`regard_models.recipes.summarizer`), which copy words of their source."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from regard.arrays import Float32Array
from regard_export.architectures.pointer_generator import PointerGeneratorArchitecture
from regard_export.checkpoints.files import require_files
from regard_export.checkpoints.source_model import SourceModel
from regard_export.descriptions.pointer_generator import (
    FIRST_CELL,
    FIRST_HIDDEN,
    IDS,
    KEYS,
    STATES,
    WORDS,
    PointerGeneratorDescription,
)
from regard_export.errors import ExportError
from regard_export.families.regard_checkpoints.card import (
    REQUIRED_FILES,
    TOKENIZER_FILE,
    TrainingTokenizerMixin,
    source_model,
    text_target,
)
from regard_export.references.copying import with_equal_copy_ids
from regard_export.references.protocols import Generated, Source, TeacherForced
from regard_export.references.transformers_search import generation_config, search
from regard_models.checkpoint import Checkpoint
from regard_models.nets.pointer_generator import PointerGeneratorNetwork, PointerMemory, load_network
from regard_service.bundle import Target, TextSource
from regard_service.generation import Generation

FAMILY = "regard-pointer-generator"


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
        net = load_network(options, checkpoint.weights)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ExportError(f"the checkpoint does not fit its architecture: {error}") from error
    description = PointerGeneratorDescription(net.config, {name: x.numpy() for name, x in checkpoint.weights.items()})
    source = _source(checkpoint)
    target = text_target(checkpoint).model_copy(update={"copies": True})
    reference = PointerGeneratorReference(net, source, target, checkpoint.tokenizer)
    model = source_model(checkpoint, PointerGeneratorArchitecture(description), reference, source, target)
    return replace(model, styles=tuple(checkpoint.card.get("styles", ())))


def _source(checkpoint: Checkpoint) -> TextSource:
    """The encoder's input: the style's token, then the words."""
    styles, find = checkpoint.card.get("styles", ()), checkpoint.tokenizer.token_to_id
    return TextSource(tokenizer=TOKENIZER_FILE, prefix_ids={style: (find(f"<{style}>"),) for style in styles})


class PointerGeneratorReference(TrainingTokenizerMixin):
    """The checkpoint in PyTorch, with the tokenizer of its training. Its search is `transformers`' generate.

    Sources are int64 [2, source]: ids, and for each token the position of the first token of the same word.
    """

    def __init__(self, net: PointerGeneratorNetwork, source: TextSource, target: Target, tokenizer: Tokenizer) -> None:
        super().__init__(source, target, tokenizer)
        self.name = f"regard_models.nets.pointer_generator.PointerGeneratorNetwork, PyTorch {torch.__version__}"
        self._net = net
        self._target = target

    @torch.inference_mode()
    def memory(self, source: Source) -> dict[str, Float32Array]:
        """See `Reference`."""
        ids, words = np.array(source)
        memory = self._encode(ids)
        tensors = {STATES: memory.states, KEYS: memory.keys, FIRST_HIDDEN: memory.hidden, FIRST_CELL: memory.cell}
        return {**{name: x[0].numpy() for name, x in tensors.items()}, IDS: ids, WORDS: words}

    def _encode(self, ids: Sequence[int], num_copies: int = 1) -> PointerMemory:
        source = torch.tensor(ids).expand(num_copies, -1)
        return self._net.encode(source, torch.ones(source.shape, dtype=torch.bool))

    @torch.inference_mode()
    def teacher_force(self, source: Source, target: Sequence[int]) -> TeacherForced:
        """See `Reference`; the logits are log-probabilities."""
        ids, words = torch.tensor(np.array(source))[:, None]
        decoded = self._net.decode(self._vocabulary_tokens(torch.tensor([target]), ids), self._encode(ids[0].tolist()))
        log_probs = self._net.distribution(decoded, ids, words)[0].numpy()
        zeros = np.zeros(len(target), np.float32)
        attention = decoded.weights[None].numpy()
        return TeacherForced(with_equal_copy_ids(log_probs, source, self._target), zeros, attention)

    @torch.inference_mode()
    def generate(self, source: Source, generation: Generation) -> Generated:
        """See `Reference`."""
        config = generation_config(self._target, generation, use_cache=False)
        ids, words = (x.expand(generation.num_beams, -1) for x in torch.tensor(np.array(source)))
        memory = self._encode(ids[0].tolist(), generation.num_beams)

        def next_log_probs(tokens: Tensor) -> Tensor:
            decoded = self._net.decode(self._vocabulary_tokens(tokens, ids), memory)
            return self._net.distribution(decoded, ids, words)[:, -1]

        return search(next_log_probs, self._target.vocab_size + ids.shape[1], config)

    def _vocabulary_tokens(self, tokens: Tensor, source: Tensor) -> Tensor:
        """Replaces each copy by its word's id in the vocabulary; int64 [batch, target] and [batch, source]."""
        position = tokens - self._target.vocab_size
        return torch.where(position < 0, tokens, source.gather(1, position.clamp_min(0)))
