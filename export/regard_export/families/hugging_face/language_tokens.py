"""The language tokens and prompts of multilingual models of `transformers`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from regard_export.checkpoints.languages import LanguagePairs, Languages, languages_by_side, named_languages
from regard_export.errors import ExportError

PROMPTED_TEXTS = ("Where is the library?", "a", "12 dogs", "Übrigens")
WRITTEN_LANGUAGE = re.compile(r"<2([a-z]{2,3}(?:_[A-Za-z]+)?)>")  # <2de> of MADLAD-400 and IndicBART
LANGUAGE_CODE = re.compile(r"[a-z]{2,3}_[A-Z][A-Za-z]{1,3}")  # en_XX of mBART, eng_Latn of NLLB


def token_languages(tokenizer: Any, settings: Mapping[str, Any], pairs: LanguagePairs) -> Languages:
    """The languages of mBART, M2M100 and NLLB: a token beside the source names its language, a forced one the target's.

    Args:
        tokenizer: has a token for each language.
        settings: of config.json and generation_config.json; a token that they force leaves one target language.

    Raises:
        ExportError: the caller named languages that the model does not have.
    """
    ids = language_ids(tokenizer)
    forced = settings.get("forced_bos_token_id")
    start = settings.get("decoder_start_token_id")
    only = next((code for code, token in ids.items() if token in (forced, start)), None)
    sources, targets = languages_by_side(pairs) if pairs else (tuple(ids), (only,) if only else tuple(ids))
    unknown = sorted({*sources, *targets} - ids.keys()) + [t for t in targets if only and t != only]
    if unknown:
        raise ExportError(f"no languages {', '.join(unknown)}; there are {', '.join(sorted(ids))}, to {only or 'any'}")
    is_suffix = is_language_behind_text(tokenizer)
    tokens = {code: (ids[code],) for code in sources}
    return Languages(
        sources,
        targets,
        language_prefix_ids={} if is_suffix else tokens,
        language_suffix_ids=tokens if is_suffix else {},
        # A decoder that starts with the language's token needs no forced one.
        forced_first_ids={} if only and ids[only] == start else {code: ids[code] for code in targets},
    )


def language_ids(tokenizer: Any) -> dict[str, int]:
    """The token of each language, by the language's code."""
    if hasattr(tokenizer, "lang_code_to_token"):  # M2M100
        return {code: tokenizer.get_lang_id(code) for code in tokenizer.lang_code_to_token}
    added = tokenizer.added_tokens_decoder
    return {token.content: i for i, token in added.items() if LANGUAGE_CODE.fullmatch(token.content)}


def language_tokens(tokenizer: Any) -> tuple[str, ...]:
    """The spellings of the tokens that `language_ids` numbers."""
    if hasattr(tokenizer, "lang_code_to_token"):
        return tuple(tokenizer.lang_code_to_token.values())
    return tuple(language_ids(tokenizer))


def is_language_behind_text(tokenizer: Any) -> bool:
    """Whether the token of the source's language stands behind the text instead of before it."""
    return not tokenizer.prefix_tokens


def prompted_languages(
    tokenizer: Any, tasks: Mapping[str, Any], pairs: LanguagePairs, prefixes: Mapping[str, str]
) -> Languages:
    """The languages of T5, which a prompt names: "translate English to German: ".

    Args:
        tasks: task_specific_params of config.json, by names such as "translation_en_to_de".
        prefixes: the caller's prompts by target language, which replace those of `tasks`.

    Raises:
        ExportError: the caller named languages without a prompt, or several source languages.
    """
    prompts = {}
    for name, task in tasks.items():
        match = re.fullmatch("translation_(.+)_to_(.+)", name)
        if match and task.get("prefix"):
            prompts[match[1], match[2]] = task["prefix"]
    if prefixes:
        return named_languages(pairs)
    if not prompts:
        return _written_languages(tokenizer, pairs) or named_languages(pairs)
    chosen = list(pairs) or list(prompts)
    unknown = [f"{source}-{target}" for source, target in chosen if (source, target) not in prompts]
    if unknown:
        offered = ", ".join(f"{source}-{target}" for source, target in prompts)
        raise ExportError(f"no languages {', '.join(unknown)}; there are {offered}")
    sources, targets = languages_by_side(chosen)
    if len(sources) > 1:
        raise ExportError(f"choose one source language of {', '.join(sources)}: --languages")
    return Languages(sources, targets, prefix_ids={t: prompt_ids(tokenizer, prompts[sources[0], t]) for t in targets})


def written_language_ids(tokenizer: Any) -> dict[str, int]:
    """The tokens that name a language to write, such as <2de>, by its code."""
    found = {WRITTEN_LANGUAGE.fullmatch(token): i for token, i in tokenizer.get_vocab().items()}
    return {match[1]: i for match, i in sorted(found.items(), key=lambda each: each[1]) if match}


def written_language_tokens(tokenizer: Any) -> tuple[str, ...]:
    """The spellings of the tokens that `written_language_ids` numbers."""
    return tuple(f"<2{code}>" for code in written_language_ids(tokenizer))


def _written_languages(tokenizer: Any, pairs: LanguagePairs) -> Languages | None:
    """The languages of MADLAD-400 (Kudugunta et al. 2023): a text begins with the target's token; None without tokens.

    Raises:
        ExportError: the caller named a target language without a token.
    """
    ids = written_language_ids(tokenizer)
    if not ids:
        return None
    sources, targets = languages_by_side(pairs) if pairs else (tuple(ids), tuple(ids))
    _require_known(targets, ids)
    return Languages(sources, targets, prefix_ids={code: prompt_ids(tokenizer, f"<2{code}> ") for code in targets})


def framed_languages(tokenizer: Any, end_id: int, pairs: LanguagePairs) -> Languages:
    """The languages of IndicBART (Dabre et al. 2022): "text </s> <2en>" is read, and "<2hi> text </s>" written.

    Raises:
        ExportError: the caller named no languages, unknown ones, or several to write: each has a start of its own.
    """
    ids, (sources, targets) = written_language_ids(tokenizer), _sides(pairs)
    _require_known((*sources, *targets), ids)
    if len(targets) > 1:
        raise ExportError(f"choose one target language of {', '.join(targets)}, with whose token the decoder starts")
    suffixes = {code: (ids[code],) for code in sources}
    return Languages(sources, targets, language_suffix_ids=suffixes, suffix_ids=(end_id,), start_id=ids[targets[0]])


def _sides(pairs: LanguagePairs) -> tuple[tuple[str, ...], tuple[str, ...]]:
    named = named_languages(pairs)
    return named.sources, named.targets


def _require_known(codes: Sequence[str], ids: Mapping[str, int]) -> None:
    unknown = sorted({*codes} - ids.keys())
    if unknown:
        raise ExportError(f"no languages {', '.join(unknown)}; there are {', '.join(ids)}")


def with_prefixes(languages: Languages, prefixes: Mapping[str, str], tokenizer: Any) -> Languages:
    """The languages with the caller's prompts.

    Args:
        prefixes: by target language; "" stands for any.

    Raises:
        ExportError: the model writes no such language, or a prompt is no sequence of tokens before every text.
    """
    unknown = sorted(prefixes.keys() - {*languages.targets, ""})
    if unknown:
        written = ", ".join(languages.targets) or "none: write =TEXT"
        raise ExportError(f"--prefix names {', '.join(unknown)}; the model's target languages are {written}")
    ids = {key: prompt_ids(tokenizer, prompt) for key, prompt in prefixes.items()}
    return replace(languages, prefix_ids={**languages.prefix_ids, **ids})


def prompt_ids(tokenizer: Any, prompt: str) -> tuple[int, ...]:
    """The ids of a prompt, which stand before those of any text.

    Raises:
        ExportError: the prompt's last token depends on the text behind it.
    """
    if not prompt.strip():
        return ()

    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False).input_ids)

    found = ids(prompt.strip())
    if any(ids(f"{prompt}{text}") != [*found, *ids(text)] for text in PROMPTED_TEXTS):
        raise ExportError(
            f"the prefix {prompt!r} is no sequence of tokens of its own before a text: this tokenizer joins it with "
            "the first word; end it with a space, or leave it to the callers to write it before their texts"
        )
    return tuple(found)
