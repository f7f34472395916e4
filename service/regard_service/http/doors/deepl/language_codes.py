"""DeepL's codes of languages: "EN", "PT-BR"; models have codes of their own."""

from collections.abc import Sequence

import langcodes

from regard_service.domain.models import ModelInfo
from regard_service.errors import InvalidInput, there_are
from regard_service.http.json_fields import shown
from regard_service.languages.matching import is_language, match

VARIANTS = {
    "en": ("EN-GB", "EN-US"),
    "pt": ("PT-BR", "PT-PT"),
    "zh": ("ZH", "ZH-HANS", "ZH-HANT"),
    "es": ("ES", "ES-419"),
}
"""Targets that DeepL's clients know in variants. "EN" and "PT" as targets are refused by its libraries themselves."""


def source_code(code: str) -> str:
    """Returns DeepL's code of a language that is read, which has no variants: "EN" for "en-GB" and "eng_Latn"."""
    language = langcodes.Language.get(code).language if is_language(code) else None
    return (language or code).upper()


def target_codes(code: str) -> list[str]:
    """Returns DeepL's codes of a language that is written. Args: code: a model's own."""
    base = source_code(code)
    variants = VARIANTS.get(base.lower(), (base,))
    return [each for each in variants if match(each, [code]) is not None]


def pairs_of(models: Sequence[ModelInfo]) -> list[tuple[str, str]]:
    """Returns the pairs of languages that models translate, by their own codes."""
    found = dict[tuple[str, str], None]()
    for model in models:
        if model.manifest is not None and model.manifest.task == "translation":
            targets = model.manifest.target_languages
            found |= dict.fromkeys((s, t) for s in model.manifest.source_languages for t in targets)
    return [(source, target) for source, target in found if source != target]


def check_translated(source: str, target: str, models: Sequence[ModelInfo]) -> None:
    """Refuses languages that no model translates.

    Args:
        source, target: as a request names them; "" for a source that is to be detected.

    Raises:
        InvalidInput: names the parameter that is at fault.
    """
    pairs = pairs_of(models)
    sources = [own for own, written in pairs if match(target, [written]) is not None]
    if not sources:
        offered = there_are(dict.fromkeys(written for _, written in pairs))
        raise InvalidInput.of("target_lang", f"{shown(target)} is not written by a model of this server; {offered}")
    if source and match(source, sources) is None:
        fault = f"{shown(source)} is not translated to {target} by a model of this server; {there_are(sources)}"
        raise InvalidInput.of("source_lang", fault)
