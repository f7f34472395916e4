"""Tells the language of a text, among given ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from regard_service.languages.matching import match

MAX_CHARACTERS = 2_000
"""The part of a text that is read. More does not change the answer."""

MIN_SHARE = 0.5
"""Below this share of the probability of the given languages, two of them are too close to tell."""

MIN_RATIO = 0.3
"""Below this ratio to the likeliest of all languages, the text is in none of the given ones. Of Tatoeba's sentences cut
to three words, 98 % of those in a given language reach it, and 95 % of the others do not."""


@dataclass(frozen=True)
class DetectedLanguage:
    """The language of a text.

    Attributes:
        code: one of the given codes; "" if the language is unknown.
        confidence: [0, 1], the language's share of the probability of the given languages and the likeliest other one;
            0 if the language is unknown.
    """

    code: str
    confidence: float


UNKNOWN = DetectedLanguage("", 0.0)


def detect(text: str, offered: Sequence[str]) -> DetectedLanguage:
    """Returns the language of a text among a model's codes, or UNKNOWN: a text without letters, in another language, or
    so short that two languages are equally likely.

    A naive Bayes classifier of byte sequences in 97 languages (Lui and Baldwin 2012, langid.py).
    """
    codes = _by_detector(tuple(offered))
    read = text[:MAX_CHARACTERS]
    if not codes or not any(map(str.isalpha, read)):
        return UNKNOWN
    ranked: list[tuple[str, float]] = _detector().rank(read)
    given = [(codes[name], probability) for name, probability in ranked if name in codes]
    best, probability = given[0]
    top = ranked[0][1]
    if probability < MIN_RATIO * top or probability < MIN_SHARE * sum(each for _, each in given):
        return UNKNOWN
    other = max((each for name, each in ranked if name not in codes), default=0.0)
    return DetectedLanguage(best, probability / (sum(each for _, each in given) + other))


@lru_cache(maxsize=256)
def _by_detector(offered: tuple[str, ...]) -> dict[str, str]:
    """Returns the offered code of each language that the detector knows."""
    matches = ((name, match(name, offered)) for name in _detector().labels)
    return {name: code for name, code in matches if code is not None}


@lru_cache(maxsize=1)
def _detector() -> Any:
    """Reads the detector's model, 4 MB, at the first use."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # most servers never need it

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
