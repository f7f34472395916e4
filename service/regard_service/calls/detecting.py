"""Translations whose source language is "auto": each text goes to the model of its language."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.domain.calls import TranslateCall
from regard_service.domain.results import OutputWarning, Result, StreamEvent
from regard_service.errors import FieldViolation, InvalidInput
from regard_service.languages.detection import UNKNOWN, DetectedLanguage, detect
from regard_service.repository.model_repository import ModelRepository

AUTO = "auto"

_INDEXED = re.compile(r"(texts|target_prefixes)\[(\d+)\]")


@dataclass(frozen=True)
class LanguageRouter:
    """Chooses the source language of texts, among those that the loaded models read."""

    repository: ModelRepository
    pool: BoundedThreadPool

    async def translate(
        self, call: TranslateCall, translate: Callable[[TranslateCall], Awaitable[list[Result]]]
    ) -> list[Result]:
        """Translates texts of several languages: one call for each language. Results are in the texts' order.

        Raises:
            InvalidInput: also if the model reads several languages, and that of a text is unknown.
        """
        detected = await self._detect(call)
        languages = list(dict.fromkeys(each.code for each in detected))
        groups = [[i for i, each in enumerate(detected) if each.code == language] for language in languages]
        calls = [_part(call, group, language) for group, language in zip(groups, languages, strict=True)]
        answers = await asyncio.gather(*map(translate, calls), return_exceptions=True)
        _raise_errors(answers, groups)
        results: dict[int, Result] = {}
        for group, answer in zip(groups, answers, strict=True):
            if not isinstance(answer, BaseException):
                results |= zip(group, answer, strict=True)
        return [_described(results[index], each, call.texts[index]) for index, each in enumerate(detected)]

    async def of_stream(self, call: TranslateCall) -> tuple[TranslateCall, Callable[[StreamEvent], StreamEvent]]:
        """Returns a stream's call with its language, and what adds the language to the stream's result."""
        (detected,) = await self._detect(call)
        return _part(call, [0], detected.code), partial(_described_event, detected=detected, text=call.texts[0])

    async def detect(self, texts: Sequence[str]) -> Sequence[DetectedLanguage]:
        """Returns the languages of texts, among those that the loaded models read or write."""
        return await self._among(texts, self.repository.languages())

    async def _detect(self, call: TranslateCall) -> Sequence[DetectedLanguage]:
        return await self._among(call.texts, self._offered(call))

    async def _among(self, texts: Sequence[str], offered: Sequence[str]) -> Sequence[DetectedLanguage]:
        if not offered:
            return [UNKNOWN] * len(texts)
        # In a thread: at its first use, the detector reads its model, which takes most of a second.
        return await self.pool.run([partial(detect, text, offered) for text in texts])

    def _offered(self, call: TranslateCall) -> tuple[str, ...]:
        """Returns the languages that the call's model reads, or all models that write the call's language."""
        if call.model:
            return self.repository.get(call.model, "translation").manifest.source_languages
        return self.repository.source_languages(call.target_language)


def _part(call: TranslateCall, indexes: Sequence[int], language: str) -> TranslateCall:
    """Returns a call with some of the texts."""
    places = {index: place for place, index in enumerate(indexes)}
    protected = tuple((places[i], start, end) for i, start, end in call.text_options.protected_spans if i in places)
    return replace(
        call,
        texts=tuple(call.texts[index] for index in indexes),
        source_language=language,
        text_options=replace(call.text_options, protected_spans=protected),
        control=replace(
            call.control, prefixes={places[i]: each for i, each in call.control.prefixes.items() if i in places}
        ),
    )


def _raise_errors(answers: Sequence[object], groups: Sequence[Sequence[int]]) -> None:
    """Raises the violations of all groups, with the texts' own indexes; another error goes first."""
    violations: list[FieldViolation] = []
    for answer, group in zip(answers, groups, strict=True):
        if isinstance(answer, InvalidInput):
            violations += [_moved(violation, group) for violation in answer.violations]
        elif isinstance(answer, BaseException):
            raise answer
    if violations:
        raise InvalidInput(list(dict.fromkeys(violations)))


def _moved(violation: FieldViolation, group: Sequence[int]) -> FieldViolation:
    field = _INDEXED.sub(lambda found: f"{found[1]}[{group[int(found[2])]}]", violation.field)
    if violation.field == "source_language":  # it has the value "auto"
        texts = ", ".join(f"texts[{index}]" for index in group[:8]) + (", ..." if len(group) > 8 else "")
        return FieldViolation(field, f"the language of {texts} is unknown; {violation.description}")
    return FieldViolation(field, violation.description)


def _described_event(event: StreamEvent, detected: DetectedLanguage, text: str) -> StreamEvent:
    return _described(event, detected, text) if isinstance(event, Result) else event


def _described(result: Result, detected: DetectedLanguage, text: str) -> Result:
    if detected.code:
        return replace(result, detected_language=detected.code, language_confidence=detected.confidence)
    if not any(map(str.isalpha, text)):  # a text without letters has no language
        return result
    warning = OutputWarning("language_unknown", "the language of the text is unknown, or none that a model here reads")
    return replace(result, warnings=(*result.warnings, warning))
