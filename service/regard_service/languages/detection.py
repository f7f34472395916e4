"""Tells the language of a text, among given ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

from regard_service.languages.matching import match

MAX_CHARACTERS = 2_000
"""The part of a text that is read. More does not change the answer."""

MIN_SHARE = 0.5
"""Below this share of the probability of the given languages, two of them are too close to tell."""

MIN_RATIO = 0.3
"""Below this ratio to the likeliest of all languages, the text is in none of the given ones. Of Tatoeba's sentences cut
to three words, 98 % of those in a given language reach it, and 95 % of the others do not."""


MIN_OTHER_RATIO = 5.0
"""A text is in another language than it is said to be in if that is so many times as likely. Of Tatoeba's sentences cut
to three or five words, 0.2 and 0 % of the English ones reach it, and 94 to 98 and 98 to 99 % of the German, French and
Spanish ones."""

MIN_SHORT_RATIO = 20.0
"""The same for texts of one or two words: none of the English ones, and 25 to 30 and 66 to 70 % of the others."""

NUM_SHORT_WORDS = 2

NO_LANGUAGE = "zxx"
"""The detector's code of texts in no language."""

MIN_TARGET_RATIO = 2.0
"""The same, for any length, for the language that a text shall be translated to, which is the likeliest mistake: 0 to
0.3 % of the English ones, 53 to 69 % of single words and 97 % of three words."""


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
    ranked: list[tuple[str, float]] = load_detector().rank(read)
    given = [(codes[name], probability) for name, probability in ranked if name in codes]
    best, probability = given[0]
    top = ranked[0][1]
    if probability < MIN_RATIO * top or probability < MIN_SHARE * sum(each for _, each in given):
        return UNKNOWN
    other = max((each for name, each in ranked if name not in codes), default=0.0)
    return DetectedLanguage(best, probability / (sum(each for _, each in given) + other))


def other_language(text: str, source: str, target: str) -> str:
    """Returns the language that a text is in rather than in the one that it is said to be in; "" if there is none.

    Args:
        source: BCP 47 code of what the text is said to be in.
        target: of what it shall be translated to; "" if unknown.

    Returns:
        `target`, or the detector's code of another language, or NO_LANGUAGE.
    """
    read = text[:MAX_CHARACTERS]
    sources, targets = _by_detector((source,)), _by_detector((target,)) if target else {}
    if not sources or not any(map(str.isalpha, read)):
        return ""
    ranked: list[tuple[str, float]] = load_detector().rank(read)
    likelihood = max(probability for name, probability in ranked if name in sources)
    others = [(name, probability) for name, probability in ranked if name not in sources]
    name, top = others[0]
    into_target = max((probability for each, probability in others if each in targets), default=0.0)
    is_short = len(read.split(maxsplit=NUM_SHORT_WORDS)) <= NUM_SHORT_WORDS
    if into_target >= MIN_TARGET_RATIO * likelihood and into_target * MIN_OTHER_RATIO >= top:
        return target
    return name if top >= (MIN_SHORT_RATIO if is_short else MIN_OTHER_RATIO) * likelihood else ""


@lru_cache(maxsize=256)
def _by_detector(offered: tuple[str, ...]) -> dict[str, str]:
    """Returns the offered code of each language that the detector knows."""
    matches = ((name, match(name, offered)) for name in load_detector().labels)
    return {name: code for name, code in matches if code is not None}


def load_detector() -> Any:
    """Returns the detector, whose model of 4 MB is read once: by the first caller, for whom others wait."""
    with _LOADING:
        return _detector()


_LOADING = Lock()


@lru_cache(maxsize=1)
def _detector() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # servers that translate nothing never need it

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
