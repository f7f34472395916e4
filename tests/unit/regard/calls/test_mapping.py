"""Many inputs: order, bounds, errors by the input, early ends; in threads and in an event loop alike."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from regard.calls import mapping
from regard.calls.mapping import Outcome
from regard.errors import CallError, FieldViolation, InvalidArgument, Overloaded, ServerFault, Unavailable
from tests.unit.regard.sample_results import text_result
from tests.waiting import PATIENCE_S

RESULT = text_result(["a"], ["b"])

Run = Callable[..., list[Outcome]]


def in_threads(
    inputs: Iterable[Any], call: mapping.Call, size: int = 3, concurrency: int = 2, **rest: Any
) -> list[Outcome]:
    options = {"is_ordered": True, "on_progress": None} | rest
    return list(mapping.run(mapping.batches_of(inputs, size), call, concurrency, **options))


def in_a_loop(
    inputs: Iterable[Any], call: mapping.Call, size: int = 3, concurrency: int = 2, **rest: Any
) -> list[Outcome]:
    options = {"is_ordered": True, "on_progress": None} | rest

    async def call_async(batch: list[Any]) -> Any:
        return await asyncio.to_thread(call, batch)

    async def run() -> list[Outcome]:
        batches = mapping.batches_of(inputs, size)
        return [each async for each in mapping.run_async(batches, call_async, concurrency, **options)]

    return asyncio.run(run())


BOTH = pytest.mark.parametrize("run", [in_threads, in_a_loop])


@BOTH
@pytest.mark.parametrize("is_ordered", [True, False])
def test_every_input_has_one_outcome(run: Run, is_ordered: bool) -> None:
    batches, progress = list[list[Any]](), list[tuple[int, int]]()

    def call(batch: list[Any]) -> Any:
        batches.append(batch)
        return [RESULT] * len(batch)

    found = run(range(10), call, is_ordered=is_ordered, on_progress=lambda *counts: progress.append(counts))
    assert sorted(each.index for each in found) == list(range(10))
    assert all(each.input == each.index and each.unwrap() is RESULT for each in found)
    assert sorted(map(len, batches)) == [1, 3, 3, 3]
    assert progress == [(number, 0) for number in range(1, 11)]
    if is_ordered:
        assert [each.index for each in found] == list(range(10))


@BOTH
def test_what_completes_first_comes_first_if_not_ordered(run: Run) -> None:
    gate = threading.Event()

    def call(batch: list[Any]) -> Any:
        if batch == [0]:
            assert gate.wait(PATIENCE_S)
        return [RESULT]

    seen = list[int]()

    def on_progress(num_done: int, num_failed: int) -> None:
        seen.append(num_done)
        if num_done == 3:
            gate.set()

    found = run(range(4), call, size=1, is_ordered=False, on_progress=on_progress)
    assert [each.index for each in found[:3]] != [0, 1, 2]
    assert {each.index for each in found} == {0, 1, 2, 3}


@BOTH
def test_an_input_that_is_refused_costs_the_others_nothing(run: Run) -> None:
    def call(batch: list[Any]) -> Any:
        if 4 in batch:
            raise InvalidArgument.of([FieldViolation(f"texts[{batch.index(4)}]", "is bad")])
        return [RESULT] * len(batch)

    found = run(range(8), call)
    assert [each.index for each in found if each.error] == [4]
    assert found[4].result is None
    with pytest.raises(InvalidArgument, match=r"texts\[0\]: is bad"):
        found[4].unwrap()


@BOTH
@pytest.mark.parametrize(
    "error", [ServerFault("INTERNAL", "a fault"), Overloaded("RESOURCE_EXHAUSTED", "message larger than max")]
)
def test_a_fault_or_a_size_that_one_input_causes_costs_the_others_nothing(run: Run, error: CallError) -> None:
    def call(batch: list[Any]) -> Any:
        if 4 in batch:
            raise error
        return [RESULT] * len(batch)

    assert [each.index for each in run(range(8), call) if each.error] == [4]


@BOTH
def test_a_quota_is_no_inputs_own(run: Run) -> None:
    batches = list[list[Any]]()

    def call(batch: list[Any]) -> Any:
        batches.append(batch)
        raise Overloaded("RESOURCE_EXHAUSTED", "the quota is used up", "QUOTA")

    assert len([each for each in run(range(6), call) if each.error]) == 6
    assert sorted(batches) == [[0, 1, 2], [3, 4, 5]]


@BOTH
def test_a_call_that_fails_is_the_error_of_its_inputs(run: Run) -> None:
    def call(batch: list[Any]) -> Any:
        if 0 in batch:
            raise Unavailable("UNAVAILABLE", "gone")
        return [RESULT] * len(batch)

    found = run(range(6), call)
    assert [isinstance(each.error, Unavailable) for each in found] == [True] * 3 + [False] * 3


@BOTH
def test_an_overloaded_server_is_called_again(run: Run) -> None:
    refusals = iter([Overloaded("RESOURCE_EXHAUSTED", "full", retry_after_s=0.0)] * 3)

    def call(batch: list[Any]) -> Any:
        if (refusal := next(refusals, None)) is not None:
            raise refusal
        return [RESULT] * len(batch)

    assert all(each.result for each in run(range(4), call))


@BOTH
def test_a_fault_of_the_program_is_raised(run: Run) -> None:
    def call(batch: list[Any]) -> Any:
        raise TypeError("there is no option 'x'")

    with pytest.raises(TypeError, match="no option 'x'"):
        run(range(4), call)


@BOTH
def test_inputs_are_read_only_as_outcomes_leave(run: Run) -> None:
    read = list[int]()

    def inputs() -> Iterator[int]:
        for number in range(10_000):
            read.append(number)
            yield number

    most_ahead = 0

    def on_progress(num_done: int, num_failed: int) -> None:
        nonlocal most_ahead
        most_ahead = max(most_ahead, len(read) - num_done)

    run(inputs(), lambda batch: [RESULT] * len(batch), size=10, on_progress=on_progress)
    assert most_ahead <= 10 * 4


def test_an_early_end_starts_no_more_calls() -> None:
    calls = list[list[Any]]()

    def call(batch: list[Any]) -> Any:
        calls.append(batch)
        return [RESULT]

    outcomes = mapping.run(mapping.batches_of(range(1000), 1), call, 2, True, None)
    next(iter(outcomes))
    outcomes.close()  # type: ignore[attr-defined]  # a generator
    assert len(calls) < 10


async def test_an_early_end_cancels_calls_in_flight() -> None:
    cancelled = asyncio.Event()

    async def call(batch: list[Any]) -> Any:
        if batch == [0]:
            return [RESULT]
        try:
            await asyncio.sleep(PATIENCE_S)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    outcomes: Any = mapping.run_async(mapping.batches_of(range(9), 1), call, 2, True, None)
    async with aclosing(outcomes):
        await anext(outcomes)
        await asyncio.sleep(0)
    assert cancelled.is_set()


def test_one_text_is_not_many_and_numbers_are_checked() -> None:
    with pytest.raises(TypeError, match="map takes a list of inputs, or another iterable; it is of type str"):
        next(mapping.batches_of("a text", 3))
    with pytest.raises(ValueError, match="batch_size must be at least 1; it is 0"):
        next(mapping.batches_of(["a"], 0))
    with pytest.raises(TypeError, match="batch_size must be a whole number; it is '8'"):
        mapping.batches_of(["a"], "8")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="concurrency must be at least 1; it is 0"):
        next(iter(mapping.run(mapping.batches_of(["a"], 1), lambda batch: [RESULT], 0, True, None)))
