"""The project's own checkpoints (`models/checkpoint.py`): recipes write them, export reads them."""

from pathlib import Path
from typing import Any

from export.description import Description
from export.families.source import SourceModel
from models.bundle import GenerationDefaults, Provenance, Target, TextSource
from models.checkpoint import Checkpoint
from models.nets.transformer import TransformerConfig
from models.recipes.tokenizer import END, PAD, START

FAMILY = "regard-transformer"
TOKENIZER = "tokenizer.json"
MAX_TOKENS = 256  # longest source and target by default; training saw shorter ones still


def load(folder: Path) -> SourceModel:
    """Reads a checkpoint's folder."""
    return from_checkpoint(Checkpoint.load(folder))


def from_checkpoint(checkpoint: Checkpoint) -> SourceModel:
    """Maps a checkpoint to the description and to what the manifest says of a model."""
    config = TransformerConfig(**{name: value for name, value in checkpoint.config.items() if name != "family"})
    card, tokenizer = checkpoint.card, checkpoint.tokenizer
    ids = {token.content: token_id for token_id, token in tokenizer.get_added_tokens_decoder().items()}
    languages = tuple(card.get("target_languages", ()))
    limit = min(config.max_positions, MAX_TOKENS)
    return SourceModel(
        family=FAMILY,
        task=card.get("task", "translation"),
        description=Description(config, {name: x.numpy() for name, x in checkpoint.weights.items()}),
        source=TextSource(
            tokenizer=TOKENIZER,
            prefix_ids={code: (ids[f"<{code}>"],) for code in languages},
            suffix_ids=(ids[END],),
        ),
        target=Target(
            tokenizer=TOKENIZER,
            vocab_size=config.vocab_size,
            start_id=ids[START],
            pad_id=ids[PAD],
            end_ids=(ids[END],),
            special_ids=tuple(sorted(ids.values())),
        ),
        tokenizers={TOKENIZER: tokenizer.to_str()},
        max_source_tokens=card.get("max_source_tokens", limit),
        max_target_tokens=card.get("max_target_tokens", limit),
        generation=GenerationDefaults(**{"max_new_tokens": limit, **card.get("generation", {})}),
        provenance=_provenance(card),
        source_languages=tuple(card.get("source_languages", ())),
        target_languages=languages,
        summary=card.get("description", ""),
        alignment_heads=tuple((layer, head) for layer, head in card.get("alignment_heads", ())),
        scores=card.get("scores", {}),
    )


def _provenance(card: dict[str, Any]) -> Provenance:
    return Provenance(
        source=card.get("name", "a checkpoint of this project"),
        recipe=card.get("recipe", ""),
        data=card.get("data", ""),
        data_license=card.get("license", ""),
        weights_license=card.get("weights_license", card.get("license", "")),
    )
