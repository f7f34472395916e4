"""Translations whose source language is "auto": each text goes to its language, and comes back in its place."""

from dataclasses import replace
from typing import Any

import pytest

from regard_service.calls.detecting import AUTO, LanguageRouter
from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.domain.calls import TextOptions, TranslateCall
from regard_service.domain.results import Result, Source, StreamEvent, Timings
from regard_service.errors import InvalidInput, Overloaded

ENGLISH, GERMAN = "The train is late again today.", "Der Zug ist heute wieder zu spät."
CALL = TranslateCall(texts=(GERMAN, ENGLISH, "42", GERMAN), source_language=AUTO, target_language="fr")


class Repository:
    """Has models that read two languages."""

    def source_languages(self, target_language: str) -> tuple[str, ...]:
        return ("en", "de") if target_language == "fr" else ()

    def languages(self) -> tuple[str, ...]:
        return ("en", "de", "fr")


def router() -> LanguageRouter:
    repository: Any = Repository()
    return LanguageRouter(repository, BoundedThreadPool(1, 16))


def result(text: str) -> Result:
    return Result((), Source(), Timings(0, 0, 0), text, "1")


async def test_each_text_is_translated_from_its_language_and_the_order_is_kept() -> None:
    calls: list[TranslateCall] = []

    async def translate(call: TranslateCall) -> list[Result]:
        calls.append(call)
        return [result(text) for text in call.texts]

    options = TextOptions(protected_spans=((1, 0, 3), (3, 4, 7)))
    results = await router().translate(replace(CALL, text_options=options), translate)
    assert [each.model for each in results] == list(CALL.texts)
    assert [each.detected_language for each in results] == ["de", "en", "", "de"]
    assert [[warning.reason for warning in each.warnings] for each in results] == [[], [], [], []]
    assert [(call.source_language, call.texts) for call in calls] == [
        ("de", (GERMAN, GERMAN)),
        ("en", (ENGLISH,)),
        ("", ("42",)),
    ]
    assert [call.text_options.protected_spans for call in calls] == [((1, 4, 7),), ((0, 0, 3),), ()]


async def test_errors_name_the_texts_by_their_own_indexes() -> None:
    async def translate(call: TranslateCall) -> list[Result]:
        if not call.source_language:
            raise InvalidInput.of("source_language", "is empty; model 'm' reads en, de")
        if call.source_language == "de":
            raise InvalidInput.of("texts[1]", "is too long")
        return [result(text) for text in call.texts]

    with pytest.raises(InvalidInput) as refused:
        await router().translate(CALL, translate)
    assert [(each.field, each.description) for each in refused.value.violations] == [
        ("texts[3]", "is too long"),
        ("source_language", "the language of texts[2] is unknown; is empty; model 'm' reads en, de"),
    ]


async def test_an_error_that_is_no_callers_goes_before_those_of_the_texts() -> None:
    async def translate(call: TranslateCall) -> list[Result]:
        if call.source_language == "en":
            raise Overloaded("full", retry_after_s=1.0)
        raise InvalidInput.of("texts[0]", "is too long")

    with pytest.raises(Overloaded):
        await router().translate(CALL, translate)


async def test_languages_that_models_write_are_detected_too() -> None:
    found = await router().detect([ENGLISH, "Le train est encore en retard aujourd'hui.", "Поезд опаздывает."])
    assert [each.code for each in found] == ["en", "fr", ""]


async def test_a_stream_is_of_its_language() -> None:
    chosen, describe = await router().of_stream(replace(CALL, texts=(GERMAN,)))
    assert (chosen.source_language, chosen.texts) == ("de", (GERMAN,))
    described: StreamEvent = describe(result("x"))
    assert isinstance(described, Result)
    assert described.detected_language == "de"
    assert 0.5 < described.language_confidence <= 1


async def test_a_text_in_another_language_has_a_warning() -> None:
    async def translate(call: TranslateCall) -> list[Result]:
        return [result(text) for text in call.texts]

    (answer,) = await router().translate(replace(CALL, texts=("Поезд сегодня снова опаздывает.",)), translate)
    assert (answer.detected_language, [each.reason for each in answer.warnings]) == ("", ["language_unknown"])


async def test_where_no_model_writes_the_target_the_planner_says_so() -> None:
    calls: list[TranslateCall] = []

    async def translate(call: TranslateCall) -> list[Result]:
        calls.append(call)
        return [result(text) for text in call.texts]

    await router().translate(replace(CALL, target_language="it"), translate)
    assert [call.source_language for call in calls] == [""]
