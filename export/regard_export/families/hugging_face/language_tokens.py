"""The language tokens and prompts of multilingual models of `transformers`."""

import re
from collections.abc import Mapping
from typing import Any

from regard_export.checkpoints.languages import LanguagePairs, Languages, languages_by_side, named_languages
from regard_export.errors import ExportError

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


def is_language_behind_text(tokenizer: Any) -> bool:
    """Whether the token of the source's language stands behind the text instead of before it."""
    return not tokenizer.prefix_tokens


def prompted_languages(tokenizer: Any, tasks: Mapping[str, Any], pairs: LanguagePairs) -> Languages:
    """The languages of T5, which a prompt names: "translate English to German: ".

    Args:
        tasks: task_specific_params of config.json, by names such as "translation_en_to_de".

    Raises:
        ExportError: the caller named languages without a prompt, or several source languages.
    """
    prompts = {}
    for name, task in tasks.items():
        match = re.fullmatch("translation_(.+)_to_(.+)", name)
        if match and task.get("prefix"):
            prompts[match[1], match[2]] = task["prefix"]
    if not prompts:
        return named_languages(pairs)
    chosen = list(pairs) or list(prompts)
    unknown = [f"{source}-{target}" for source, target in chosen if (source, target) not in prompts]
    if unknown:
        offered = ", ".join(f"{source}-{target}" for source, target in prompts)
        raise ExportError(f"no languages {', '.join(unknown)}; there are {offered}")
    sources, targets = languages_by_side(chosen)
    if len(sources) > 1:
        raise ExportError(f"choose one source language of {', '.join(sources)}: --languages")
    return Languages(sources, targets, prefix_ids={t: prompt_ids(tokenizer, prompts[sources[0], t]) for t in targets})


def prompt_ids(tokenizer: Any, prompt: str) -> tuple[int, ...]:
    """The ids of a prompt, which stand before those of the text."""
    return tuple(tokenizer(prompt.strip(), add_special_tokens=False).input_ids)
