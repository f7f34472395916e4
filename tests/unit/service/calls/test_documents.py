"""Documents through the data plane: a window of units, errors of one unit, of all, and overload."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import pytest

from regard_service.calls.documents import MAX_EVENTS, WINDOW, translate_document
from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.domain.calls import TextOptions, TranslateCall
from regard_service.domain.documents import (
    DocumentCall,
    DocumentEvent,
    DocumentFinished,
    DocumentProgress,
    DocumentStarted,
    DocumentWarning,
)
from regard_service.domain.results import Hypothesis, OutputWarning, Result, Source, Timings
from regard_service.errors import DeadlineUnreachable, InvalidInput, ModelNotFound, Overloaded
from tests.waiting import until


@contextmanager
def pool() -> Iterator[BoundedThreadPool]:
    threads = BoundedThreadPool(1, 4)
    try:
        yield threads
    finally:
        threads.close()


def result(text: str, *warnings: OutputWarning) -> Result:
    hypothesis = Hypothesis(text, (), 0.0, "end")
    return Result((hypothesis,), Source(), Timings(0, 0, 0), "toy", "2", warnings=warnings)


class Model:
    """Translates to upper case, as `change` has it; counts what is in flight."""

    def __init__(self, change: Callable[[str], Result] = lambda text: result(text.upper())) -> None:
        self.calls: list[TranslateCall] = []
        self.num_running = self.most_running = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self._change = change

    async def translate(self, call: TranslateCall) -> list[Result]:
        self.calls.append(call)
        self.num_running += 1
        self.most_running = max(self.most_running, self.num_running)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
            return [self._change(each) for each in call.texts]
        finally:
            self.num_running -= 1


def messages(*texts: str) -> DocumentCall:
    return DocumentCall(document=json.dumps(texts).encode(), media_type="json", target_language="de", is_bulk=True)


async def events_of(call: DocumentCall, model: Model) -> list[DocumentEvent]:
    with pool() as threads:
        return [event async for event in translate_document(call, model.translate, threads)]


async def finished(call: DocumentCall, model: Model) -> tuple[list[str], tuple[DocumentWarning, ...]]:
    last = (await events_of(call, model))[-1]
    assert isinstance(last, DocumentFinished)
    return json.loads(last.document), last.warnings


async def test_events() -> None:
    model = Model()
    events = await events_of(messages("one", "two", "one", "3"), model)
    assert events[0] == DocumentStarted(3, "application/json", 9)
    assert events[-1] == DocumentFinished(b'["ONE", "TWO", "ONE", "3"]', "application/json", (), "toy", "2")
    assert [event.num_done for event in events if isinstance(event, DocumentProgress)][-1] == 3
    assert [call.texts for call in model.calls] == [("one",), ("two",)]
    assert all(call.is_bulk and call.target_language == "de" for call in model.calls)


async def test_tags_of_texts_are_no_characters() -> None:
    markdown = DocumentCall(document=b"My **one** & *two*\n\nthree\n", media_type="markdown", target_language="de")
    started = (await events_of(markdown, Model()))[0]
    assert started == DocumentStarted(2, "text/markdown", len("My one & two") + len("three"))


async def test_a_large_document_keeps_a_window_in_flight_and_reports_now_and_then() -> None:
    model = Model()
    events = await events_of(messages(*(f"text {number}" for number in range(3000))), model)
    assert model.most_running == WINDOW
    progress = [event.num_done for event in events if isinstance(event, DocumentProgress)]
    assert progress == sorted(progress)
    assert progress[-1] == 3000
    assert 10 < len(progress) <= MAX_EVENTS + 1


async def test_options_reach_every_text_with_the_format_of_its_unit() -> None:
    model = Model()
    call = DocumentCall(
        document=b"*a* b\n\nc\n", media_type="markdown", source_language="en", text_options=TextOptions(unit="whole")
    )
    await events_of(call, model)
    assert [(each.texts[0], each.text_options.format, each.text_options.unit) for each in model.calls] == [
        ('<g id="1">a</g> b', "html", "whole"),
        ("c", "plain", "whole"),
    ]


async def test_one_text_that_cannot_be_read_costs_no_other() -> None:
    def change(text: str) -> Result:
        if text == "bad":
            raise InvalidInput.of("texts[0]", "is too long for the model")
        return result(text.upper())

    texts, warnings = await finished(messages("one", "bad", "two", "bad"), Model(change))
    assert texts == ["ONE", "bad", "TWO", "bad"]
    assert warnings == tuple(
        DocumentWarning("document", "the text stays as it is: it is too long for the model", unit, str(unit), "bad")
        for unit in (1, 3)
    )


async def test_warnings_name_the_text() -> None:
    model = Model(lambda text: result(text, OutputWarning("output_cut", "the output was cut", 0)))
    _, warnings = await finished(messages("x" * 100), model)
    assert warnings == (DocumentWarning("output_cut", "the output was cut", 0, "0", "x" * 80),)


@pytest.mark.parametrize(
    "error", [InvalidInput.of("target_language", "is empty"), ModelNotFound("there is no such model")]
)
async def test_what_is_wrong_with_the_call_fails_it(error: Exception) -> None:
    def change(_: str) -> Result:
        raise error

    model = Model(change)
    with pytest.raises(type(error)):
        await events_of(messages(*(f"text {number}" for number in range(100))), model)
    assert model.num_running == 0


async def test_a_full_queue_is_waited_for() -> None:
    refusals = iter([True, True, False])

    def change(text: str) -> Result:
        if next(refusals):
            raise Overloaded("the queue is full", retry_after_s=0.001)
        return result(text.upper())

    texts, warnings = await finished(messages("one"), Model(change))
    assert (texts, warnings) == (["ONE"], ())


@pytest.mark.parametrize("error", [DeadlineUnreachable("too late", 0.001), Overloaded("full", 1e9)])
async def test_but_not_beyond_the_deadline(error: Overloaded) -> None:
    def change(_: str) -> Result:
        raise error

    call = DocumentCall(document=b'["a"]', media_type="json", deadline=asyncio.get_running_loop().time() + 1e6)
    with pytest.raises(type(error)):
        await events_of(call, Model(change))


async def test_a_caller_who_leaves_cancels_what_is_in_flight() -> None:
    model = Model()
    model.gate.clear()
    with pool() as threads:
        events: AsyncIterator[DocumentEvent] = translate_document(messages("one", "two"), model.translate, threads)
        assert await anext(events) == DocumentStarted(2, "application/json", 6)
        waiting = asyncio.ensure_future(anext(events))
        await until(lambda: model.num_running == 2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert model.num_running == 0


async def test_a_document_without_texts_is_itself_and_asks_no_model() -> None:
    model = Model()
    events = await events_of(messages("1", "2"), model)
    assert events == [
        DocumentStarted(0, "application/json", 0),
        DocumentFinished(b'["1", "2"]', "application/json", (), "", ""),
    ]
    assert model.calls == []


async def test_a_file_of_another_format_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^document: is not JSON"):
        await events_of(DocumentCall(document=b"x", media_type="json"), Model())


async def test_units_that_fail_at_once_leave_nothing_for_the_log() -> None:
    """asyncio logs the error of a task that nobody reads, with a traceback."""

    def refuse(text: str) -> Result:
        raise ModelNotFound(f"no model for {text}")

    unread: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unread.append(context))
    with pytest.raises(ModelNotFound):
        await events_of(messages("one", "two", "three"), Model(refuse))
    gc.collect()  # asyncio notices when it deletes the task
    assert unread == []
