"""Many calls in flight: order, bounds, errors of the input, early ends."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regard.calls.mapping import retrying_async
from regard.cli import bulk
from regard.errors import InvalidArgument, Overloaded
from tests.waiting import until


async def numbers(count: int, read: list[int] | None = None) -> AsyncIterator[int]:
    for number in range(count):
        if read is not None:
            read.append(number)
        yield number


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 8))
def test_outcomes_keep_the_order_and_the_bound(naps: list[int], concurrency: int) -> None:
    num_running, most_running = 0, 0

    async def call(number: int) -> int:
        nonlocal num_running, most_running
        num_running += 1
        most_running = max(most_running, num_running)
        for _ in range(naps[number]):
            await asyncio.sleep(0)
        num_running -= 1
        return number

    async def run() -> list[int]:
        return [each async for each in bulk.in_order(numbers(len(naps)), call, concurrency)]

    assert asyncio.run(run()) == list(range(len(naps)))
    assert most_running <= concurrency


async def test_items_are_read_only_as_outcomes_are_consumed() -> None:
    read: list[int] = []

    async def call(number: int) -> int:
        return number

    async with aclosing(bulk.in_order(numbers(10_000, read), call, 2)) as outcomes:
        assert await anext(outcomes) == 0
        await asyncio.sleep(0.05)
    assert len(read) < 50


async def test_an_error_of_the_items_is_raised_after_the_outcomes_before_it() -> None:
    async def failing() -> AsyncIterator[int]:
        yield 1
        raise OSError("the disk is gone")

    async def call(number: int) -> int:
        return number

    outcomes = []
    with pytest.raises(OSError, match="the disk is gone"):  # noqa: PT012
        async for each in bulk.in_order(failing(), call, 2):
            outcomes.append(each)
    assert outcomes == [1]


async def test_leaving_early_cancels_what_runs() -> None:
    begun, cancelled = [], []

    async def call(number: int) -> int:
        begun.append(number)
        try:
            if number > 0:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        return number

    async with aclosing(bulk.in_order(numbers(100), call, 3)) as outcomes:
        await anext(outcomes)
        await until(lambda: len(begun) == 4)
    assert sorted(cancelled) == [1, 2, 3]


async def test_lines_are_numbered_and_lack_their_ends() -> None:
    async with aclosing(bulk.read_lines(io.BytesIO(b"a\nb\r\n\nc"))) as lines:
        assert [line async for line in lines] == [(1, b"a"), (2, b"b"), (3, b""), (4, b"c")]


async def test_an_overload_without_a_retry_delay_is_not_repeated() -> None:
    calls = 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        raise Overloaded("RESOURCE_EXHAUSTED", "message larger than max", retry_after_s=None)

    with pytest.raises(Overloaded):
        await retrying_async(call)
    assert calls == 1


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b'"text"',
        b'{"text": 1}',
        b'{"text": null}',
        b'{"text": "a", "text": "b"}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_line_without_an_input_is_an_error(line: bytes) -> None:
    with pytest.raises(InvalidArgument, match="the line is"):
        bulk.read_field(line, "text")
