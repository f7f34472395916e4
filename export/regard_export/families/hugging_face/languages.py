"""How models of several languages are told which one they read and which they write."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from regard_export.errors import ExportError

Pairs = Sequence[tuple[str, str]]
"""Source and target languages that the caller asks for; none means all that there are."""

CODE = re.compile(r"[a-z]{2,3}_[A-Z][A-Za-z]{1,3}")  # en_XX of mBART, eng_Latn of NLLB


@dataclass(frozen=True)
class Languages:
    """What the manifest says of languages; the mappings are those of `TextSource` and `Target`."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    prefix_ids: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    language_prefix_ids: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    language_suffix_ids: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    forced_first_ids: Mapping[str, int] = field(default_factory=dict)


def named_languages(pairs: Pairs) -> Languages:
    """Of a model that is not told; only the caller knows.

    Raises:
        ExportError: the caller did not say.
    """
    if not pairs:
        raise ExportError("this checkpoint does not tell its languages; name them: --languages SOURCE-TARGET")
    return Languages(*_sides(pairs))


def token_languages(tokenizer: Any, settings: Mapping[str, Any], pairs: Pairs) -> Languages:
    """Of mBART, M2M100 and NLLB: the source's token stands beside the source, the target's is forced.

    Args:
        tokenizer: which knows a token for each language.
        settings: of config.json and generation_config.json; a token that they force leaves one target language.

    Raises:
        ExportError: the caller asks for languages that are not there.
    """
    ids = language_ids(tokenizer)
    forced = settings.get("forced_bos_token_id")
    start = settings.get("decoder_start_token_id")
    only = next((code for code, token in ids.items() if token in (forced, start)), None)
    sources, targets = _sides(pairs) if pairs else (tuple(ids), (only,) if only else tuple(ids))
    unknown = sorted({*sources, *targets} - ids.keys()) + [t for t in targets if only and t != only]
    if unknown:
        raise ExportError(f"no languages {', '.join(unknown)}; there are {', '.join(sorted(ids))}, to {only or 'any'}")
    behind = has_language_behind(tokenizer)
    tokens = {code: (ids[code],) for code in sources}
    return Languages(
        sources,
        targets,
        language_prefix_ids={} if behind else tokens,
        language_suffix_ids=tokens if behind else {},
        # A decoder that starts with the language's token needs no other.
        forced_first_ids={} if only and ids[only] == start else {code: ids[code] for code in targets},
    )


def language_ids(tokenizer: Any) -> dict[str, int]:
    """The token of each language, by its code."""
    if hasattr(tokenizer, "lang_code_to_token"):  # M2M100
        return {code: tokenizer.get_lang_id(code) for code in tokenizer.lang_code_to_token}
    added = tokenizer.added_tokens_decoder
    return {token.content: i for i, token in added.items() if CODE.fullmatch(token.content)}


def has_language_behind(tokenizer: Any) -> bool:
    """Whether the source's language stands behind the text instead of before it."""
    return not tokenizer.prefix_tokens


def prompted_languages(tokenizer: Any, tasks: Mapping[str, Any], pairs: Pairs) -> Languages:
    """Of T5, which is told in words: "translate English to German: ".

    Args:
        tasks: task_specific_params of config.json, by names such as "translation_en_to_de".
    """
    prompts = {}
    for name, task in tasks.items():
        found = re.fullmatch("translation_(.+)_to_(.+)", name)
        if found and task.get("prefix"):
            prompts[found[1], found[2]] = task["prefix"]
    if not prompts:
        return named_languages(pairs)
    wanted = list(pairs) or list(prompts)
    unknown = [f"{source}-{target}" for source, target in wanted if (source, target) not in prompts]
    if unknown:
        offered = ", ".join(f"{source}-{target}" for source, target in prompts)
        raise ExportError(f"no languages {', '.join(unknown)}; there are {offered}")
    sources, targets = _sides(wanted)
    if len(sources) > 1:
        raise ExportError(f"choose one source language of {', '.join(sources)}: --languages")
    return Languages(sources, targets, prefix_ids={t: prompt_ids(tokenizer, prompts[sources[0], t]) for t in targets})


def prompt_ids(tokenizer: Any, prompt: str) -> tuple[int, ...]:
    """The pieces of words in front of a text."""
    return tuple(tokenizer(prompt.strip(), add_special_tokens=False).input_ids)


def _sides(pairs: Pairs) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All source languages and all target languages, each once, in their order."""
    sources, targets = zip(*pairs, strict=True)
    return tuple(dict.fromkeys(sources)), tuple(dict.fromkeys(targets))
