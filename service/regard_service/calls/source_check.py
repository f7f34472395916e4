"""Whether texts are in the language that their call says, or that their model reads."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from regard_service.calls.passages import ModelSegment, Passage
from regard_service.calls.plan import CallPlan
from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.domain.results import OutputWarning, Result
from regard_service.errors import Overloaded
from regard_service.languages.common_words import has_common_word
from regard_service.languages.detection import NO_LANGUAGE, other_language

# Of a text that are looked at.
MAX_CHARACTERS = 500
MAX_SEGMENTS = 100

_WORD = re.compile(r"[\w'-]+")
_LATIN = re.compile("[A-Za-z]")


@dataclass(frozen=True)
class SourceCheck:
    """Warns about texts that are in another language than their model reads.

    Texts with a common word of their language do not reach the detector, which takes 70 MB once it is loaded.

    Attributes:
        is_on: False: texts are taken as they are.
    """

    pool: BoundedThreadPool
    is_on: bool = True

    async def checked(self, plan: CallPlan, results: Sequence[Result]) -> list[Result]:
        """Adds warnings to a call's results, one of each input of the plan."""
        passages = [each.passage for each in plan.inputs]
        suspects = [
            i
            for i, each in enumerate(passages)
            if self.is_on and each is not None and _is_suspect(each) and not _is_kept_word(each, results[i])
        ]
        if not suspects:
            return list(results)
        checks = [partial(_other_language, passage) for i in suspects if (passage := passages[i]) is not None]
        try:
            others = dict(zip(suspects, await self.pool.run(checks), strict=True))
        except Overloaded:  # a warning is no reason to fail
            others = {}
        return [_warned(result, passages[i], others.get(i, "")) for i, result in enumerate(results)]


def _is_suspect(passage: Passage) -> bool:
    """Whether a text of natural language has no common word of its language."""
    if passage.ratios is None or not passage.source_language:
        return False
    texts = _read(passage)
    return bool(texts) and not any(has_common_word(text, passage.source_language) for text in texts)


def _is_kept_word(passage: Passage, result: Result) -> bool:
    """Whether a text is a single word that the output has too: a name, or a word of both languages."""
    words = " ".join(_read(passage)).split(maxsplit=1)
    if len(words) != 1 or not result.hypotheses:
        return False
    written = result.hypotheses[0].text[: 2 * MAX_CHARACTERS].casefold()
    return words[0].rstrip(".,;:!?").casefold() in _WORD.findall(written)


def _other_language(passage: Passage) -> str:
    text = " ".join(_read(passage))[:MAX_CHARACTERS]
    return other_language(text, passage.source_language, passage.target_language)


def _read(passage: Passage) -> list[str]:
    """Returns the running text: what the model reads, and words that it cannot read; no code, no tags.

    The event loop waits for this, so no more is looked at than the beginning.
    """
    texts, size = [], 0
    for each in passage.segments[:MAX_SEGMENTS]:
        text = each.edited.original if isinstance(each, ModelSegment) else each.text
        text = text[: MAX_CHARACTERS - size]
        if isinstance(each, ModelSegment) or not _LATIN.search(text):
            texts.append(unicodedata.normalize("NFKC", text))
            size += len(text)
        if size >= MAX_CHARACTERS:
            break
    return texts


def _warned(result: Result, passage: Passage | None, other: str) -> Result:
    if not other or passage is None:
        return result
    instead = "nor in another language" if other == NO_LANGUAGE else f"but in {other!r}"
    message = f"the text seems not to be in {passage.source_language!r}, {instead}"
    return replace(result, warnings=(*result.warnings, OutputWarning("other_language", message)))
