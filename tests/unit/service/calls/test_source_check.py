"""Texts in another language than their model reads get a warning, and the detector is asked only if it may be so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest

from regard_service.bundle import DEFAULT_LENGTH_RATIOS
from regard_service.calls import source_check
from regard_service.calls.inputs import Input
from regard_service.calls.passages import CopiedSegment, ModelSegment, Passage
from regard_service.calls.plan import CallPlan
from regard_service.calls.source_check import SourceCheck
from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.domain.results import Hypothesis, Result, Source, Span, Timings
from regard_service.errors import Overloaded
from regard_service.passages.edits import EditedText
from regard_service.text.reading import SourceText


@dataclass
class Plan:
    inputs: Sequence[Input]


def model_segment(text: str) -> ModelSegment:
    return ModelSegment(Span(0, len(text)), EditedText.unchanged(text), SourceText(text, ()))


def passage(*texts: str, copied: Sequence[str] = (), source: str = "en", is_natural: bool = True) -> Passage:
    segments: list[ModelSegment | CopiedSegment] = [
        *map(model_segment, texts),
        *(CopiedSegment(Span(0, len(text)), text) for text in copied),
    ]
    return Passage("", tuple(segments), source, "de", DEFAULT_LENGTH_RATIOS if is_natural else None)


async def reasons(
    *passages: Passage | None, is_on: bool = True, max_waiting: int = 8, written: str = "Ja."
) -> list[list[str]]:
    pool = BoundedThreadPool(1, max_waiting)
    plan = cast("CallPlan", Plan([Input((), each) for each in passages]))
    hypothesis = Hypothesis(written, (), 0.0, "end")
    results = [Result((hypothesis,), Source(), Timings(0, 0, 0), "m", "1") for _ in passages]
    try:
        checked = await SourceCheck(pool, is_on).checked(plan, results)
    finally:
        pool.close()
    return [[warning.reason for warning in result.warnings] for result in checked]


async def test_texts_in_another_language_get_a_warning() -> None:
    found = await reasons(
        passage("Hund"),
        passage("Ich gehe nach Hause."),
        passage("The dog sleeps."),
        passage("Dogs bark."),
        passage("Ｈｅｌｌｏ"),
        passage(copied=["Это хороший дом."]),
        passage(copied=["if (a) { b(); }", "42"]),
        passage("Ich gehe nach Hause.", source="de"),
        passage("Ich gehe nach Hause.", source=""),
        passage("CC(=O)Oc1ccccc1", is_natural=False),
        None,
    )
    other = ["other_language"]
    assert found == [other, other, [], [], [], other, [], [], [], [], []]


@pytest.mark.parametrize(
    ("text", "written"), [("Berlin", "Berlin!"), ("Hotel", "Hotel"), ("Restaurant.", "Das Restaurant.")]
)
async def test_a_word_that_the_output_keeps_is_a_name_or_of_both_languages(text: str, written: str) -> None:
    assert await reasons(passage(text), written=written) == [[]]
    assert await reasons(passage(f"{text} ist das nicht"), written=written) == [["other_language"]]


class Looked(str):
    """A text that notes how much of it is taken."""

    num_taken = 0

    def __getitem__(self, part: object) -> str:
        taken = super().__getitem__(part)  # type: ignore[index]
        Looked.num_taken += len(taken)
        return taken

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("the whole text is looked at")

    def casefold(self) -> str:
        raise AssertionError("the whole text is looked at")


async def test_no_more_is_looked_at_than_the_beginning() -> None:
    """The event loop waits for this: 128 texts of 20,000 characters took 0.3 s."""
    flags = Looked("\U0001f1e9\U0001f1ea" * 10_000)
    await reasons(passage(copied=[flags]), passage(copied=[Looked("a1")] * 10_000), written=flags)
    assert Looked.num_taken < 8 * source_check.MAX_CHARACTERS


async def test_a_server_may_leave_it() -> None:
    assert await reasons(passage("Hund"), is_on=False) == [[]]


async def test_sentences_with_common_words_ask_no_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> str:
        raise AssertionError("the detector is asked")

    monkeypatch.setattr(source_check, "other_language", fail)
    assert await reasons(passage("The dog sleeps.")) == [[]]


async def test_a_full_pool_costs_the_warning_and_not_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(self: BoundedThreadPool, functions: Sequence[Any]) -> list[Any]:
        raise Overloaded("full", retry_after_s=1.0)

    monkeypatch.setattr(BoundedThreadPool, "run", refuse)
    assert await reasons(passage("Hund")) == [[]]
