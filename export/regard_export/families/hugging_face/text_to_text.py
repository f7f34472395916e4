"""Text-to-text models of `transformers`: BART, mBART, Pegasus, M2M100, NLLB, T5, mT5, and pairs of BERTs."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from transformers import (
    BartForConditionalGeneration,
    ByT5Tokenizer,
    EncoderDecoderModel,
    M2M100ForConditionalGeneration,
    MBartForConditionalGeneration,
    MT5ForConditionalGeneration,
    PegasusForConditionalGeneration,
    T5ForConditionalGeneration,
)

from regard_export.architectures.encoder_decoder import EncoderDecoderArchitecture
from regard_export.architectures.transformer import TransformerArchitecture
from regard_export.checkpoints.languages import Languages, named_languages
from regard_export.checkpoints.sentencepiece_tokenizers import (
    alphabet_tokenizer,
    source_tokenizer,
    target_tokenizer,
)
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.errors import ExportError
from regard_export.families.hugging_face import bart, encoder_decoder, t5
from regard_export.families.hugging_face.added_tokens import (
    control_tokens,
    ordinary_tokens,
    refuse_single_words,
    typed_ids,
)
from regard_export.families.hugging_face.byte_tokenizers import byte_tokenizer
from regard_export.families.hugging_face.fast_tokenizers import bundled_tokenizer, open_tokenizer
from regard_export.families.hugging_face.generation_settings import (
    banned_ids,
    end_ids,
    forced_first_ids,
    generation_defaults,
    read_settings,
    refuse_unsupported,
)
from regard_export.families.hugging_face.language_tokens import (
    framed_languages,
    language_ids,
    language_tokens,
    prompt_ids,
    prompted_languages,
    token_languages,
    with_prefixes,
    written_language_ids,
    written_language_tokens,
)
from regard_export.families.hugging_face.net_loading import load_net
from regard_export.families.hugging_face.reference import HuggingFaceReference
from regard_service.bundle import Provenance, Target, Task, TextSource

MAX_TOKENIZER_LIMIT = 100_000  # a tokenizer without a limit states a much larger number
SOURCE_TOKENIZER, TARGET_TOKENIZER = "tokenizer.json", "target.json"
TARGET_CHARACTERS = "phoneme_chars"


class DescribeNet(Protocol):
    """Maps a net to a description."""

    def __call__(self, net: Any, banned_ids: tuple[int, ...], *, max_positions: int | None) -> TransformerDescription:
        """Maps a net; `max_positions` is the tokenizer's limit."""


@dataclass(frozen=True)
class Family:
    """A kind of checkpoint.

    Attributes:
        net: its class in `transformers`.
        tasks: the tasks of its models; the first is the default.
        has_language_tokens: whether tokens tell the languages, see `token_languages`.
        architecture: makes the whole net of the description.
        ignored: names of weights that nothing reads.
    """

    name: str
    net: Any
    describe: DescribeNet
    tasks: tuple[Task, ...]
    has_language_tokens: bool = False
    architecture: Callable[[Any, TransformerDescription], TransformerArchitecture | EncoderDecoderArchitecture] = (
        lambda _, description: TransformerArchitecture(description)
    )
    ignored: re.Pattern[str] | None = None


FAMILIES = {
    family.name: family
    for family in (
        Family("bart", BartForConditionalGeneration, bart.describe, ("summarization", "translation")),
        Family(
            "mbart",
            MBartForConditionalGeneration,
            bart.describe,
            ("translation", "summarization"),
            has_language_tokens=True,
        ),
        Family("pegasus", PegasusForConditionalGeneration, bart.describe, ("summarization",)),
        Family("m2m_100", M2M100ForConditionalGeneration, bart.describe, ("translation",), has_language_tokens=True),
        Family("t5", T5ForConditionalGeneration, t5.describe, ("translation", "summarization")),
        Family("mt5", MT5ForConditionalGeneration, t5.describe, ("translation", "summarization")),
        Family(
            encoder_decoder.FAMILY,
            EncoderDecoderModel,
            encoder_decoder.describe,
            ("summarization", "translation"),
            architecture=encoder_decoder.architecture,
            ignored=encoder_decoder.IGNORED_WEIGHTS,
        ),
    )
}


def load(folder: Path, load_options: LoadOptions) -> SourceModel:
    """Reads a checkpoint's folder."""
    settings = read_settings(folder)
    tokenizer = open_tokenizer(folder)
    refuse_single_words(tokenizer)
    family = _family(settings["model_type"], tokenizer)
    task = _task(family, load_options)
    settings |= _task_settings(settings, task)
    refuse_unsupported(settings)
    net = load_net(family.net, folder, ignored=family.ignored, is_pickle_trusted=load_options.is_pickle_trusted)
    if family.name == encoder_decoder.FAMILY:
        settings = encoder_decoder.with_special_ids(settings, net)
    limit = load_options.max_source_tokens if family.describe is t5.describe else None
    description = _describe(family, net, settings, _max_positions(tokenizer, limit))
    languages = _languages(family, task, tokenizer, settings, load_options)
    source = _source(tokenizer, languages, family, load_options.prefixes)
    alphabet = _target_alphabet(settings)
    target = _target(tokenizer, languages, settings, description, alphabet)
    architecture = family.architecture(net, description)
    max_tokens = _limit(tokenizer, description, limit)
    return SourceModel(
        family=family.name,
        task=task,
        architecture=architecture,
        reference=TextToTextReference(net, description, source, target, tokenizer, languages, alphabet),
        source=source,
        target=target,
        tokenizers=_tokenizers(folder, tokenizer, alphabet),
        max_source_tokens=limit or _source_limit(tokenizer, architecture, max_tokens),
        max_target_tokens=max_tokens,
        generation=generation_defaults(settings, max_tokens),
        provenance=Provenance(source=str(settings.get("_name_or_path") or folder.name)),
        source_languages=languages.sources,
        target_languages=languages.targets,
    )


def _describe(
    family: Family, net: Any, settings: Mapping[str, Any], max_positions: int | None
) -> TransformerDescription:
    description = family.describe(net, banned_ids(settings), max_positions=max_positions)
    return replace(description, is_renormalized=bool(settings.get("renormalize_logits")))


class TextToTextReference(HuggingFaceReference):
    """A model of texts with its own tokenizer, which reads special tokens in a text as text."""

    def __init__(
        self,
        net: Any,
        description: TransformerDescription,
        source: TextSource,
        target: Target,
        tokenizer: Any,
        languages: Languages,
        alphabet: Mapping[int, str],
    ) -> None:
        super().__init__(net, description, target)
        self._tokenizer = tokenizer
        self._prompts = languages.prefix_ids
        self._alphabet = alphabet
        self._silent_ids = target.silent_ids
        reads_all = tokenizer.is_fast or isinstance(tokenizer, ByT5Tokenizer)
        self.unknown_id = None if reads_all else tokenizer.unk_token_id
        self._suffix: tuple[int, ...] | None = None
        if languages.suffix_ids is not None:
            self._suffix = languages.suffix_ids + languages.language_suffix_ids[languages.sources[0]]
        elif source.needs_source_language:
            tokenizer.src_lang = languages.sources[0]
        self._num_before = 0 if self._suffix is not None else len(_affixes(tokenizer)[0])

    def tokenize(self, text: str, key: str) -> list[int]:
        """See `TextReference`."""
        if self._suffix is not None:
            return [*typed_ids(self._tokenizer, text, add_special_tokens=False), *self._suffix]
        return self._prompted(typed_ids(self._tokenizer, text), key)

    def read_control_tokens(self, text: str, key: str) -> list[int]:
        """See `ControlTokenReference`."""
        if self._suffix is not None:
            return [*self._tokenizer(text, add_special_tokens=False).input_ids, *self._suffix]
        return self._prompted(self._tokenizer(text).input_ids, key)

    def _prompted(self, ids: list[int], key: str) -> list[int]:
        """The ids with the prompt of a target language between the text and the special tokens before it."""
        prompt = self._prompts.get(key, self._prompts.get("", ()))
        return [*ids[: self._num_before], *prompt, *ids[self._num_before :]]

    def detokenize(self, ids: Sequence[int]) -> str:
        """See `TextReference`."""
        pieces = [i for i in ids if i not in self._silent_ids]
        if self._alphabet:
            return "".join(self._alphabet[i] for i in pieces)
        return str(self._tokenizer.decode(pieces, clean_up_tokenization_spaces=False))


def _family(name: str, tokenizer: Any) -> Family:
    """The family, which has language tokens only if its tokenizer has: BARThez puts another one before mBART's net."""
    family = FAMILIES[name]
    if not family.has_language_tokens or (
        hasattr(tokenizer, "set_src_lang_special_tokens") and language_ids(tokenizer)
    ):
        return family
    # Without languages, an mBART is most often a summarizer.
    return replace(family, has_language_tokens=False, tasks=tuple(reversed(family.tasks)))


def _task(family: Family, load_options: LoadOptions) -> Task:
    """The caller's task, or the family's default; T5 has none, since its task depends on its prompt."""
    if load_options.task is not None and load_options.task not in family.tasks:
        raise ExportError(f"models of family {family.name} do {' or '.join(family.tasks)}, not {load_options.task}")
    if load_options.task is None and family.describe is t5.describe:
        raise ExportError(f"models of family {family.name} do {' or '.join(family.tasks)}; say which: --task")
    if load_options.languages and load_options.task is None and "translation" in family.tasks:
        return "translation"
    return load_options.task or family.tasks[0]


def _task_settings(settings: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """The settings of one task in the checkpoint's config."""
    tasks = settings.get("task_specific_params") or {}
    name = next((name for name in tasks if name.split("_")[0] == task), None)
    return dict(tasks[name]) if name else {}


def _tokenizer_limit(tokenizer: Any) -> int | None:
    """Tokens of the longest text, if the tokenizer has a limit."""
    limit = int(tokenizer.model_max_length)
    return limit if limit < MAX_TOKENIZER_LIMIT else None


def _max_positions(tokenizer: Any, chosen_limit: int | None) -> int | None:
    """The longest source or target, if there is a limit beside the config's."""
    limit = _tokenizer_limit(tokenizer)
    if chosen_limit is None:
        return limit
    return max(chosen_limit, limit or t5.DEFAULT_MAX_POSITIONS)


def _limit(tokenizer: Any, description: TransformerDescription, chosen_limit: int | None) -> int:
    """Tokens of the longest text by the checkpoint itself."""
    if chosen_limit is None:
        return description.config.max_positions
    return _tokenizer_limit(tokenizer) or t5.DEFAULT_MAX_POSITIONS


def _source_limit(
    tokenizer: Any, architecture: TransformerArchitecture | EncoderDecoderArchitecture, max_tokens: int
) -> int:
    """Tokens of the longest source; a pair of nets has other positions to read than to write."""
    if isinstance(architecture, TransformerArchitecture):
        return max_tokens
    return min(architecture.encoder.max_positions, _tokenizer_limit(tokenizer) or max_tokens)


def _languages(
    family: Family, task: Task, tokenizer: Any, settings: Mapping[str, Any], load_options: LoadOptions
) -> Languages:
    """The languages, and the prompts of the checkpoint and of the caller."""
    languages = _task_languages(family, task, tokenizer, settings, load_options)
    if task == "summarization" and settings.get("prefix"):
        languages = replace(languages, prefix_ids={"": prompt_ids(tokenizer, settings["prefix"])})
    return with_prefixes(languages, dict(load_options.prefixes), tokenizer)


def _task_languages(
    family: Family, task: Task, tokenizer: Any, settings: Mapping[str, Any], load_options: LoadOptions
) -> Languages:
    if family.has_language_tokens:
        return token_languages(tokenizer, settings, load_options.languages)
    if task != "translation":
        if load_options.languages:
            raise ExportError(f"--languages has no meaning for {task}")
        return Languages((), ())
    if family.describe is t5.describe:
        tasks, prefixes = settings.get("task_specific_params") or {}, dict(load_options.prefixes)
        return prompted_languages(tokenizer, tasks, load_options.languages, prefixes)
    if family.name == "mbart" and written_language_ids(tokenizer):
        return framed_languages(tokenizer, settings["eos_token_id"], load_options.languages)
    return named_languages(load_options.languages)


def _source(tokenizer: Any, languages: Languages, family: Family, prefixes: Sequence[tuple[str, str]]) -> TextSource:
    """The encoder's input: the pieces of a text between the special tokens that the tokenizer adds."""
    before: tuple[int, ...]
    before, after = ((), (tokenizer.eos_token_id,)) if family.has_language_tokens else _affixes(tokenizer)
    if languages.suffix_ids is not None:
        before, after = (), languages.suffix_ids
    chosen = language_tokens(tokenizer) if family.has_language_tokens else written_language_tokens(tokenizer)
    prompts = {key: before + ids for key, ids in languages.prefix_ids.items()}
    return TextSource(
        tokenizer=SOURCE_TOKENIZER,
        prefix_ids=prompts or ({"": before} if before else {}),
        suffix_ids=after,
        language_prefix_ids=dict(languages.language_prefix_ids),
        language_suffix_ids=dict(languages.language_suffix_ids),
        control_tokens=control_tokens(tokenizer, chosen),
        prefix_texts=dict(prefixes),
    )


def _affixes(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special tokens that the tokenizer adds before a text and behind it."""
    pieces, ids = (tokenizer("a", add_special_tokens=special).input_ids for special in (False, True))
    start = next(i for i in range(len(ids)) if ids[i : i + len(pieces)] == pieces)
    return tuple(ids[:start]), tuple(ids[start + len(pieces) :])


def _target_alphabet(settings: Mapping[str, Any]) -> dict[int, str]:
    """The target's characters by their ids, of models whose outputs have other characters than their inputs.

    Source and target share the ids. The published form is two strings in config.json, in which "_" is no character.
    """
    characters = settings.get(TARGET_CHARACTERS)
    if not isinstance(characters, str):
        return {}
    found = {i: character for i, character in enumerate(characters) if character != "_"}
    if len(set(found.values())) < len(found):
        raise ExportError(f"config.json: {TARGET_CHARACTERS} names a character twice")
    return found


def _target(
    tokenizer: Any,
    languages: Languages,
    settings: Mapping[str, Any],
    description: TransformerDescription,
    alphabet: Mapping[int, str],
) -> Target:
    start = settings.get("decoder_start_token_id") if languages.start_id is None else languages.start_id
    if start is None:
        raise ExportError("config.json names no decoder_start_token_id")
    forced = dict(languages.forced_first_ids) or forced_first_ids(settings)
    vocab_size = description.config.vocab_size
    if len(tokenizer) > vocab_size:
        raise ExportError(f"the tokenizer has {len(tokenizer)} tokens, the weights {vocab_size}")
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special} | {*tokenizer.all_special_ids}
    special |= {*getattr(tokenizer, "lang_token_to_id", {}).values()} - ordinary_tokens(tokenizer).keys()
    special |= {*range(max(*special, len(tokenizer) - 1) + 1, vocab_size)}  # ids without a piece
    if alphabet:
        special = {*range(vocab_size)} - alphabet.keys()
    return Target(
        tokenizer=SOURCE_TOKENIZER if tokenizer.is_fast and not alphabet else TARGET_TOKENIZER,
        vocab_size=vocab_size,
        start_id=start,
        pad_id=settings["pad_token_id"],
        end_ids=end_ids(settings),
        forced_first_ids=forced,
        special_ids=tuple(sorted(special)),
        reading_tokenizer=None if alphabet else SOURCE_TOKENIZER,
    )


def _tokenizers(folder: Path, tokenizer: Any, alphabet: Mapping[int, str]) -> dict[str, str]:
    """The files; `alphabet` is the target's own, see `_target_alphabet`."""
    if tokenizer.is_fast:
        own = {TARGET_TOKENIZER: alphabet_tokenizer(alphabet)} if alphabet else {}
        return {SOURCE_TOKENIZER: bundled_tokenizer(tokenizer), **own}
    ids = _ids_by_piece(tokenizer)
    if isinstance(tokenizer, ByT5Tokenizer):
        content = byte_tokenizer(tokenizer, ids, [*ordinary_tokens(tokenizer).values()])
        return {SOURCE_TOKENIZER: content, TARGET_TOKENIZER: content}
    if "spm_file" not in tokenizer.vocab_files_names:
        raise ExportError(f"{folder}: {type(tokenizer).__name__} is a tokenizer that is not supported")
    model_file = folder / Path(tokenizer.vocab_files_names["spm_file"]).name
    added = [*ordinary_tokens(tokenizer).values()]
    return {SOURCE_TOKENIZER: source_tokenizer(model_file, ids, added), TARGET_TOKENIZER: target_tokenizer(ids)}


def _ids_by_piece(tokenizer: Any) -> dict[str, int]:
    """Every piece's id, from 0 on; ids without a piece get a name."""
    added = tokenizer.added_tokens_decoder.keys()  # M2M100's tokenizer gives them ids that languages have, too
    languages = getattr(tokenizer, "lang_token_to_id", {})
    named = {**{token: i for token, i in languages.items() if i not in added}, **tokenizer.get_vocab()}
    missing = set(range(max(named.values()) + 1)) - set(named.values())
    return named | {f"<unused {i}>": i for i in missing}
