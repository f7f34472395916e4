"""The shared parts of this project's checkpoints (`models/regard_models/checkpoint.py`): tokenizer and card."""

from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer

from regard_export.architectures.architecture import Architecture
from regard_export.checkpoints.source_model import SourceModel
from regard_export.references.protocols import Reference
from regard_models.checkpoint import Checkpoint
from regard_models.recipes.tokenizer import END, PAD, START
from regard_service.bundle import GenerationDefaults, ImageSource, Provenance, Target, TextSource

TOKENIZER_FILE = "tokenizer.json"
REQUIRED_FILES = ("model.safetensors", TOKENIZER_FILE, "card.json")  # beside config.json
MAX_TOKENS = 256  # default limit of source and target; training texts were shorter


def source_model(
    checkpoint: Checkpoint,
    architecture: Architecture,
    reference: Reference,
    source: TextSource | ImageSource,
    target: Target,
    *,
    max_positions: int = MAX_TOKENS,
) -> SourceModel:
    """Combines a net with what the checkpoint's card states."""
    card, limit = checkpoint.card, min(max_positions, MAX_TOKENS)
    return SourceModel(
        family=checkpoint.config["family"],
        task=card.get("task", "translation"),
        architecture=architecture,
        reference=reference,
        source=source,
        target=target,
        tokenizers={TOKENIZER_FILE: checkpoint.tokenizer.to_str()},
        max_source_tokens=card.get("max_source_tokens", limit),
        max_target_tokens=card.get("max_target_tokens", limit),
        generation=GenerationDefaults(**{"max_new_tokens": limit, **card.get("generation", {})}),
        provenance=provenance(card),
        source_languages=tuple(card.get("source_languages", ())),
        target_languages=tuple(card.get("target_languages", ())),
        summary=card.get("description", ""),
        alignment_heads=tuple((layer, head) for layer, head in card.get("alignment_heads", ())),
        alignment_method=card.get("alignment_method", SourceModel.alignment_method),
        alignment_shifted=card.get("alignment_shifted", False),
        scores=card.get("scores", {}),
    )


class TrainingTokenizerMixin:
    """The tokenizer of the checkpoint's training; makes a `Reference` a `TextReference`."""

    unknown_id: int | None = None

    def __init__(self, source: TextSource, target: Target, tokenizer: Tokenizer) -> None:
        self._source = source
        self._silent_ids = target.silent_ids
        self._tokenizer = tokenizer

    def tokenize(self, text: str, key: str) -> list[int]:
        """See `TextReference`."""
        return [*self._source.prefix_ids.get(key, ()), *self._tokenizer.encode(text).ids, *self._source.suffix_ids]

    def detokenize(self, ids: Sequence[int]) -> str:
        """See `TextReference`."""
        pieces = [i for i in ids if i not in self._silent_ids]
        return str(self._tokenizer.decode(pieces, skip_special_tokens=False))


def text_source(checkpoint: Checkpoint) -> TextSource:
    """The encoder's input: the target language's token, pieces, end, as in `Vocabulary.source`."""
    ids, languages = _special_ids(checkpoint.tokenizer), checkpoint.card.get("target_languages", ())
    return TextSource(
        tokenizer=TOKENIZER_FILE,
        prefix_ids={code: (ids[f"<{code}>"],) for code in languages},
        suffix_ids=(ids[END],),
    )


def text_target(checkpoint: Checkpoint, *, vocab_size: int | None = None) -> Target:
    """The decoder's output; `vocab_size` is that of config.json by default."""
    ids = _special_ids(checkpoint.tokenizer)
    return Target(
        tokenizer=TOKENIZER_FILE,
        vocab_size=checkpoint.config["vocab_size"] if vocab_size is None else vocab_size,
        start_id=ids[START],
        pad_id=ids[PAD],
        end_ids=(ids[END],),
        special_ids=tuple(sorted(ids.values())),
    )


def provenance(card: Mapping[str, Any]) -> Provenance:
    """The origin of the weights, by the checkpoint's card."""
    return Provenance(
        source=card.get("name", "a checkpoint of this project"),
        recipe=card.get("recipe", ""),
        data=card.get("data", ""),
        data_license=card.get("license", ""),
        weights_license=card.get("weights_license", card.get("license", "")),
    )


def _special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    return {token.content: token_id for token_id, token in tokenizer.get_added_tokens_decoder().items()}
