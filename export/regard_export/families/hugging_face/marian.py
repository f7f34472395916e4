"""Marian (Junczys-Dowmunt et al. 2018) as `transformers` saves it: the opus-mt models."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import MarianMTModel, MarianTokenizer

from regard_export.architectures.transformer import TransformerArchitecture
from regard_export.checkpoints.files import read_json, require_files
from regard_export.checkpoints.languages import LanguagePairs, Languages, named_languages
from regard_export.checkpoints.sentencepiece_tokenizers import (
    read_sentencepiece_model,
    source_tokenizer,
    target_tokenizer,
)
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.errors import ExportError
from regard_export.families.hugging_face import bart
from regard_export.families.hugging_face.added_tokens import (
    control_tokens,
    ordinary_tokens,
    refuse_single_words,
    typed_ids,
)
from regard_export.families.hugging_face.generation_settings import (
    banned_ids,
    end_ids,
    forced_first_ids,
    generation_defaults,
    read_settings,
    refuse_unsupported,
)
from regard_export.families.hugging_face.language_tokens import with_prefixes
from regard_export.families.hugging_face.net_loading import load_net
from regard_export.families.hugging_face.reference import HuggingFaceReference
from regard_service.bundle import Provenance, Target, TextSource

FAMILY = "marian"
SOURCE_TOKENIZER, TARGET_TOKENIZER, GIVEN_TARGET_TOKENIZER = "source.json", "target.json", "given_target.json"
END, UNKNOWN, PAD = "</s>", "<unk>", "<pad>"
UNUSED = "<unused {}>"  # an id without a piece


def load(folder: Path, load_options: LoadOptions) -> SourceModel:
    """Reads a checkpoint's folder."""
    require_files(folder, "source.spm", "target.spm", "vocab.json")
    settings = read_settings(folder)
    refuse_unsupported(settings)
    tokenizer_settings = read_json(folder / "tokenizer_config.json")
    tokenizer = _open_tokenizer(folder)
    vocabulary, target_vocabulary = _vocabularies(folder, settings, tokenizer_settings, tokenizer)
    added = [*ordinary_tokens(tokenizer).values()]
    tokenizers = {
        SOURCE_TOKENIZER: source_tokenizer(folder / "source.spm", vocabulary, added),
        TARGET_TOKENIZER: target_tokenizer(target_vocabulary),
        GIVEN_TARGET_TOKENIZER: source_tokenizer(folder / "target.spm", target_vocabulary),
    }
    net = load_net(MarianMTModel, folder, is_pickle_trusted=load_options.is_pickle_trusted)
    languages = _languages(vocabulary, tokenizer_settings, load_options.languages)
    languages = with_prefixes(languages, dict(load_options.prefixes), tokenizer)
    description = _describe(net, settings)
    target = _target(settings, target_vocabulary, tokenizer)
    source = TextSource(
        tokenizer=SOURCE_TOKENIZER,
        prefix_ids=dict(languages.prefix_ids),
        suffix_ids=(tokenizer.eos_token_id,),
        control_tokens=control_tokens(tokenizer),
        prefix_texts=dict(load_options.prefixes),
    )
    limit = description.config.max_positions
    return SourceModel(
        family=FAMILY,
        task="translation",
        architecture=TransformerArchitecture(description),
        reference=MarianReference(net, description, target, tokenizer, source),
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
        self,
        net: MarianMTModel,
        description: TransformerDescription,
        target: Target,
        tokenizer: Any,
        source: TextSource,
    ) -> None:
        super().__init__(net, description, target)
        self._source = source
        self._silent_ids = target.silent_ids
        self._tokenizer = tokenizer
        self.unknown_id = tokenizer.unk_token_id

    def tokenize(self, text: str, key: str) -> list[int]:
        """See `TextReference`."""
        ids = typed_ids(self._tokenizer, text, add_special_tokens=False)
        return [*self._source.prefix_ids.get(key, ()), *ids, *self._source.suffix_ids]

    def read_control_tokens(self, text: str, key: str) -> list[int]:
        """See `ControlTokenReference`."""
        ids = self._tokenizer(text, add_special_tokens=False).input_ids
        return [*self._source.prefix_ids.get(key, ()), *ids, *self._source.suffix_ids]

    def detokenize(self, ids: Sequence[int]) -> str:
        """See `TextReference`."""
        return str(self._tokenizer.decode([i for i in ids if i not in self._silent_ids]))


def _describe(net: MarianMTModel, settings: Mapping[str, Any]) -> TransformerDescription:
    """Maps the net. Marian models start with the padding token, and never generate it even if no setting says so."""
    banned = banned_ids(settings)
    if settings["pad_token_id"] in banned:
        return replace(bart.describe(net, banned), is_renormalized=bool(settings.get("renormalize_logits")))
    return bart.describe(net, tuple(sorted({settings["pad_token_id"], *banned})))


def _open_tokenizer(folder: Path) -> Any:
    read_json(folder / "vocab.json")  # names the file if it is damaged, which the tokenizer does not
    for name in ("source.spm", "target.spm"):
        read_sentencepiece_model(folder / name)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Recommended: pip install sacremoses")  # unused by the tokenizer
        tokenizer = MarianTokenizer.from_pretrained(folder, local_files_only=True)
    refuse_single_words(tokenizer)
    return tokenizer


def _vocabularies(
    folder: Path, settings: Mapping[str, Any], tokenizer_settings: Mapping[str, Any], tokenizer: Any
) -> tuple[dict[str, int], dict[str, int]]:
    """The ids of the source's pieces and of the target's, which are usually the same.

    Added tokens are among them. A table that was resized to a round number has more rows than there are pieces: the
    last ids get names that are no text.
    """
    is_separate = tokenizer_settings.get("separate_vocabs") or not settings.get(
        "share_encoder_decoder_embeddings", True
    )
    if is_separate:
        require_files(folder, "target_vocab.json")
    sizes = settings["vocab_size"], settings.get("decoder_vocab_size") or settings["vocab_size"]
    found = [read_json(folder / name) for name in ("vocab.json", "target_vocab.json" if is_separate else "vocab.json")]
    added = {token.content: i for i, token in tokenizer.added_tokens_decoder.items()}
    found[0] |= added
    if not is_separate:
        found[1] |= added
    faults = [
        f"the {side}'s vocabulary does not number its pieces from 0, or has more than the table's {size}"
        for side, size, pieces in zip(("source", "target"), sizes, found, strict=True)
        if sorted(pieces.values()) != list(range(len(pieces))) or len(pieces) > size
    ]
    if faults:
        raise ExportError(f"{folder}: {'; '.join(faults)}")
    source, target = (
        pieces | {UNUSED.format(i): i for i in range(len(pieces), size)}
        for size, pieces in zip(sizes, found, strict=True)
    )
    return source, target


def _target(settings: Mapping[str, Any], vocabulary: Mapping[str, int], tokenizer: Any) -> Target:
    added = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    special = [vocabulary[piece] for piece in (END, UNKNOWN, PAD, *added) if piece in vocabulary]
    special += [i for piece, i in vocabulary.items() if piece == UNUSED.format(i)]
    return Target(
        tokenizer=TARGET_TOKENIZER,
        reading_tokenizer=GIVEN_TARGET_TOKENIZER,
        vocab_size=len(vocabulary),
        start_id=settings["decoder_start_token_id"],
        pad_id=settings["pad_token_id"],
        end_ids=end_ids(settings),
        forced_first_ids=forced_first_ids(settings),
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
