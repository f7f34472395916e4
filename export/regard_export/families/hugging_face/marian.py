"""Marian (Junczys-Dowmunt et al. 2018) as `transformers` saves it: the opus-mt models."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import MarianMTModel, MarianTokenizer

from regard_export.architectures.transformer import TransformerArchitecture
from regard_export.checkpoints.files import read_json, require_files
from regard_export.checkpoints.languages import LanguagePairs, Languages, named_languages
from regard_export.checkpoints.sentencepiece_tokenizers import source_tokenizer, target_tokenizer
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.errors import ExportError
from regard_export.families.hugging_face import bart
from regard_export.families.hugging_face.generation_settings import (
    banned_ids,
    generation_defaults,
    read_settings,
    refuse_unsupported,
)
from regard_export.families.hugging_face.net_loading import load_net
from regard_export.families.hugging_face.reference import HuggingFaceReference
from regard_service.bundle import Provenance, Target, TextSource

FAMILY = "marian"
SOURCE_TOKENIZER, TARGET_TOKENIZER = "source.json", "target.json"
END, UNKNOWN, PAD = "</s>", "<unk>", "<pad>"


def load(folder: Path, load_options: LoadOptions) -> SourceModel:
    """Reads a checkpoint's folder."""
    require_files(folder, "source.spm", "target.spm", "vocab.json")
    settings = read_settings(folder)
    refuse_unsupported(settings)
    tokenizer_settings = read_json(folder / "tokenizer_config.json")
    vocabulary, target_vocabulary = _vocabularies(folder, settings, tokenizer_settings)
    tokenizers = {
        SOURCE_TOKENIZER: source_tokenizer(folder / "source.spm", vocabulary),
        TARGET_TOKENIZER: target_tokenizer(target_vocabulary),
    }
    net = load_net(MarianMTModel, folder, is_pickle_trusted=load_options.is_pickle_trusted)
    languages = _languages(vocabulary, tokenizer_settings, load_options.languages)
    # Marian models start with the padding token and never generate it.
    description = bart.describe(net, tuple(sorted({settings["pad_token_id"], *banned_ids(settings)})))
    target = _target(settings, target_vocabulary)
    source = TextSource(
        tokenizer=SOURCE_TOKENIZER, prefix_ids=dict(languages.prefix_ids), suffix_ids=(settings["eos_token_id"],)
    )
    limit = description.config.max_positions
    return SourceModel(
        family=FAMILY,
        task="translation",
        architecture=TransformerArchitecture(description),
        reference=MarianReference(net, description, target, folder, source),
        source=source,
        target=target,
        tokenizers=tokenizers,
        max_source_tokens=limit,
        max_target_tokens=limit,
        generation=generation_defaults(settings, limit),
        provenance=Provenance(source=str(settings.get("_name_or_path") or folder.name)),
        source_languages=languages.sources,
        target_languages=languages.targets,
    )


class MarianReference(HuggingFaceReference):
    """MarianMTModel with MarianTokenizer, which reads special tokens in a text as text."""

    def __init__(
        self, net: MarianMTModel, description: TransformerDescription, target: Target, folder: Path, source: TextSource
    ) -> None:
        super().__init__(net, description, target)
        self._source = source
        self._special_ids = set(target.special_ids)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Recommended: pip install sacremoses")  # unused by the tokenizer
            self._tokenizer: Any = MarianTokenizer.from_pretrained(folder, local_files_only=True)
        self.unknown_id = self._tokenizer.unk_token_id

    def tokenize(self, text: str, key: str) -> list[int]:
        """See `TextReference`."""
        ids = self._tokenizer(text, split_special_tokens=True, add_special_tokens=False).input_ids
        return [*self._source.prefix_ids.get(key, ()), *ids, *self._source.suffix_ids]

    def detokenize(self, ids: Sequence[int]) -> str:
        """See `TextReference`."""
        return str(self._tokenizer.decode([i for i in ids if i not in self._special_ids]))


def _vocabularies(
    folder: Path, settings: Mapping[str, Any], tokenizer_settings: Mapping[str, Any]
) -> tuple[dict[str, int], dict[str, int]]:
    """The ids of the source's pieces and of the target's, which are usually the same."""
    is_separate = tokenizer_settings.get("separate_vocabs") or not settings.get(
        "share_encoder_decoder_embeddings", True
    )
    if is_separate:
        require_files(folder, "target_vocab.json")
    sizes = settings["vocab_size"], settings.get("decoder_vocab_size") or settings["vocab_size"]
    found = [read_json(folder / name) for name in ("vocab.json", "target_vocab.json" if is_separate else "vocab.json")]
    faults = [
        f"the {side}'s vocabulary does not number its pieces from 0 to {size - 1}"
        for side, size, pieces in zip(("source", "target"), sizes, found, strict=True)
        if sorted(pieces.values()) != list(range(size))
    ]
    if faults:
        raise ExportError(f"{folder}: {'; '.join(faults)}")
    return found[0], found[1]


def _target(settings: Mapping[str, Any], vocabulary: Mapping[str, int]) -> Target:
    special = [vocabulary[piece] for piece in (END, UNKNOWN, PAD) if piece in vocabulary]
    return Target(
        tokenizer=TARGET_TOKENIZER,
        vocab_size=len(vocabulary),
        start_id=settings["decoder_start_token_id"],
        pad_id=settings["pad_token_id"],
        end_ids=(settings["eos_token_id"],),
        special_ids=tuple(sorted({*special, *(i for name, i in vocabulary.items() if _is_language(name))})),
    )


def _is_language(piece: str) -> bool:
    return piece.startswith(">>") and piece.endswith("<<")


def _languages(vocabulary: Mapping[str, int], settings: Mapping[str, Any], pairs: LanguagePairs) -> Languages:
    """The languages; each of several target languages has a piece such as ">>fra<<", which the source begins with."""
    language_pieces = {piece[2:-2]: (i,) for piece, i in vocabulary.items() if _is_language(piece)}
    if pairs:
        named = named_languages(pairs)
        unknown = [code for code in named.targets if language_pieces and code not in language_pieces]
        if unknown:
            raise ExportError(f"no languages {', '.join(unknown)}; there are {', '.join(language_pieces)}")
        sources, targets = named.sources, named.targets
    else:
        sources = (settings.get("source_lang") or "unknown",)
        targets = tuple(language_pieces) or (settings.get("target_lang") or "unknown",)
    return Languages(
        sources, targets, prefix_ids={code: language_pieces[code] for code in targets if code in language_pieces}
    )
