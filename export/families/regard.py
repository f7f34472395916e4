"""The project's own checkpoints (`models/checkpoint.py`): recipes write them, export reads them."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from export.description import Description
from export.errors import ExportError
from export.families.source import SourceModel, require_files
from export.graph.transformer import TransformerArchitecture
from export.reference import TransformerReference
from models.bundle import GenerationDefaults, Provenance, Target, TextSource
from models.checkpoint import Checkpoint
from models.nets.transformer import TransformerConfig
from models.recipes.tokenizer import END, PAD, START

FAMILY = "regard-transformer"
TOKENIZER = "tokenizer.json"
MAX_TOKENS = 256  # longest source and target by default; training saw shorter ones still


def load(folder: Path) -> SourceModel:
    """Reads a checkpoint's folder."""
    require_files(folder, "model.safetensors", TOKENIZER, "card.json")
    return from_checkpoint(Checkpoint.load(folder))


def from_checkpoint(checkpoint: Checkpoint) -> SourceModel:
    """Maps a checkpoint to the description and to what the manifest says of a model."""
    config = _config(checkpoint.config)
    card, limit = checkpoint.card, min(config.max_positions, MAX_TOKENS)
    description = Description(config, {name: x.numpy() for name, x in checkpoint.weights.items()})
    source, target = _source(checkpoint), _target(checkpoint, config)
    return SourceModel(
        family=FAMILY,
        task=card.get("task", "translation"),
        architecture=TransformerArchitecture(description),
        reference=RegardReference(description, source, target, checkpoint.tokenizer),
        source=source,
        target=target,
        tokenizers={TOKENIZER: checkpoint.tokenizer.to_str()},
        max_source_tokens=card.get("max_source_tokens", limit),
        max_target_tokens=card.get("max_target_tokens", limit),
        generation=GenerationDefaults(**{"max_new_tokens": limit, **card.get("generation", {})}),
        provenance=_provenance(card),
        source_languages=tuple(card.get("source_languages", ())),
        target_languages=tuple(card.get("target_languages", ())),
        summary=card.get("description", ""),
        alignment_heads=tuple((layer, head) for layer, head in card.get("alignment_heads", ())),
        scores=card.get("scores", {}),
    )


class RegardReference(TransformerReference):
    """The checkpoint in PyTorch, with the tokenizer of its training."""

    def __init__(self, description: Description, source: TextSource, target: Target, tokenizer: Tokenizer) -> None:
        super().__init__(description, target)
        self._source = source
        self._special_ids = set(target.special_ids)
        self._tokenizer = tokenizer

    def tokenize(self, text: str, key: str) -> list[int]:
        return [*self._source.prefix_ids.get(key, ()), *self._tokenizer.encode(text).ids, *self._source.suffix_ids]

    def detokenize(self, ids: Sequence[int]) -> str:
        pieces = [i for i in ids if i not in self._special_ids]
        return str(self._tokenizer.decode(pieces, skip_special_tokens=False))


def _config(options: dict[str, Any]) -> TransformerConfig:
    """The architecture that config.json states, beside its family."""
    unknown = options.keys() - {field.name for field in fields(TransformerConfig)} - {"family"}
    if unknown:
        raise ExportError(f"config.json asks for what is not supported: {', '.join(sorted(unknown))}")
    return TransformerConfig(**{name: value for name, value in options.items() if name != "family"})


def _special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    return {token.content: token_id for token_id, token in tokenizer.get_added_tokens_decoder().items()}


def _source(checkpoint: Checkpoint) -> TextSource:
    """A language's token, pieces, end: what `Vocabulary.source` gives a model to read."""
    ids, languages = _special_ids(checkpoint.tokenizer), checkpoint.card.get("target_languages", ())
    return TextSource(
        tokenizer=TOKENIZER,
        prefix_ids={code: (ids[f"<{code}>"],) for code in languages},
        suffix_ids=(ids[END],),
    )


def _target(checkpoint: Checkpoint, config: TransformerConfig) -> Target:
    ids = _special_ids(checkpoint.tokenizer)
    return Target(
        tokenizer=TOKENIZER,
        vocab_size=config.vocab_size,
        start_id=ids[START],
        pad_id=ids[PAD],
        end_ids=(ids[END],),
        special_ids=tuple(sorted(ids.values())),
    )


def _provenance(card: dict[str, Any]) -> Provenance:
    return Provenance(
        source=card.get("name", "a checkpoint of this project"),
        recipe=card.get("recipe", ""),
        data=card.get("data", ""),
        data_license=card.get("license", ""),
        weights_license=card.get("weights_license", card.get("license", "")),
    )
