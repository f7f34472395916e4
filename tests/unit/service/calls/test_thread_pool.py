"""The threads that read inputs: order, the bound, and cancelled callers."""

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import TypeVar

import pytest

from regard_service.auth.caller import set_caller
from regard_service.calls.present import PresentCallers
from regard_service.calls.thread_pool import MAX_REST_S, BoundedThreadPool
from regard_service.errors import InvalidInput, Overloaded
from tests.waiting import PATIENCE_S, until

T = TypeVar("T")


@pytest.fixture
def pool() -> Iterator[BoundedThreadPool]:
    pool = BoundedThreadPool(num_threads=2, max_waiting=4)
    yield pool
    pool.close()


async def test_results_keep_their_order_and_the_event_loop_stays_free(pool: BoundedThreadPool) -> None:
    first_may_end = threading.Event()

    def wait() -> str:
        assert first_may_end.wait(PATIENCE_S)
        return "first"

    running = asyncio.ensure_future(pool.run([wait, lambda: "second"]))
    await asyncio.sleep(0.01)  # would not return if the event loop were blocked
    first_may_end.set()
    assert await running == ["first", "second"]


async def test_functions_beyond_the_bound_are_refused(pool: BoundedThreadPool) -> None:
    may_end = threading.Event()
    waits: list[Callable[[], bool]] = [partial(may_end.wait, PATIENCE_S)] * 3
    running = asyncio.ensure_future(pool.run(waits))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="3 inputs wait to be read and 2 more came; the limit is 3"):
        await pool.run([lambda: True] * 2)
    may_end.set()
    assert await running == [True] * 3
    assert await pool.run([lambda: True] * 4) == [True] * 4


async def test_cancelling_drops_waiting_functions(pool: BoundedThreadPool) -> None:
    may_end = threading.Event()
    ran: list[int] = []
    blocking = asyncio.ensure_future(pool.run([partial(may_end.wait, PATIENCE_S)] * 2))
    waiting = asyncio.ensure_future(pool.run([partial(ran.append, 1)] * 2))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    may_end.set()
    await blocking
    assert await pool.run([lambda: True] * 4) == [True] * 4
    assert ran == []


class Large:
    """What a result or an error holds."""


@pytest.mark.parametrize("is_refused", [False, True])
async def test_nothing_stays_in_memory_until_the_garbage_collector_comes(
    pool: BoundedThreadPool, is_refused: bool
) -> None:
    seen: list[weakref.ref[Large]] = []

    def make() -> Large:
        large = Large()
        seen.append(weakref.ref(large))
        if is_refused:
            raise InvalidInput.of("images[0]", "is no picture")
        return large

    gc.disable()
    try:
        for _ in range(20):
            try:
                await pool.run([make])
            except InvalidInput:
                assert is_refused
        await until(lambda: sum(each() is not None for each in seen) <= 1)  # threads leave their last frames
        assert len(seen) == 20
    finally:
        gc.enable()


def stopped_clock() -> float:
    """A time in which no caller leaves, however slow the machine is."""
    return 0.0


async def run_as(pool: BoundedThreadPool, caller: str, functions: Sequence[Callable[[], T]]) -> list[T]:
    set_caller(caller)
    return await pool.run(functions)


async def test_callers_take_turns(pool: BoundedThreadPool) -> None:
    """One thread is held; then the queue has many of one caller before one of another."""
    wide = BoundedThreadPool(num_threads=1, max_waiting=100)
    may_begin, order = threading.Event(), list[str]()

    def note(caller: str) -> str:
        assert may_begin.wait(PATIENCE_S)
        order.append(caller)
        return caller

    many = asyncio.create_task(run_as(wide, "many", [partial(note, "many")] * 20))
    await asyncio.sleep(0)
    one = asyncio.create_task(run_as(wide, "one", [partial(note, "one")]))
    await asyncio.sleep(0)
    may_begin.set()
    await asyncio.gather(many, one)
    assert order.index("one") <= 2
    wide.close()


async def test_a_caller_leaves_a_thread_and_places_to_the_others(pool: BoundedThreadPool) -> None:
    wide = BoundedThreadPool(num_threads=2, max_waiting=100)
    may_end = threading.Event()

    def wait() -> str:
        assert may_end.wait(PATIENCE_S)
        return "many"

    wide.present.meet("one")
    many = asyncio.create_task(run_as(wide, "many", [wait] * 75))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="75 inputs wait to be read and 5 more came; the limit is 75"):
        await asyncio.create_task(run_as(wide, "many", [wait] * 5))
    assert await asyncio.create_task(run_as(wide, "one", [lambda: "one"])) == ["one"]  # while "many" waits
    may_end.set()
    await many
    wide.close()


async def test_beside_others_a_caller_rests_for_as_long_as_he_worked(pool: BoundedThreadPool) -> None:
    """Whoever else has work is served meanwhile, by the only thread."""
    narrow, order = BoundedThreadPool(1, 100, PresentCallers(stopped_clock)), list[tuple[str, float]]()
    may_end = threading.Event()

    def work(caller: str) -> None:
        order.append((caller, time.monotonic()))
        assert may_end.wait(PATIENCE_S)
        time.sleep(MAX_REST_S / 2)  # at least: the rest is as long, and only a lower bound is asserted

    narrow.present.meet("honest")
    many = asyncio.create_task(run_as(narrow, "many", [partial(work, "many")] * 3))
    await until(lambda: len(order) == 1)
    honest = asyncio.create_task(run_as(narrow, "honest", [partial(work, "honest")]))
    await asyncio.sleep(0)  # it waits behind the other two
    may_end.set()
    await asyncio.gather(many, honest)
    begins = [began for caller, began in order if caller == "many"]
    assert order[1][0] == "honest"
    assert all(after - before >= 0.99 * MAX_REST_S for before, after in pairwise(begins))
    narrow.close()


async def test_a_lone_caller_does_not_rest(pool: BoundedThreadPool) -> None:
    await run_as(pool, "alone", [lambda: time.sleep(MAX_REST_S)])
    assert not pool._rests


async def test_closing_ends_a_rest() -> None:
    wide = BoundedThreadPool(2, 100, PresentCallers(stopped_clock))

    def work() -> None:
        time.sleep(MAX_REST_S)

    wide.present.meet("honest")
    many = asyncio.create_task(run_as(wide, "many", [work] * 50))
    await until(lambda: bool(wide._rests))
    wide.close()
    await asyncio.to_thread(wide._threads.shutdown)
    assert not any(thread.is_alive() for thread in wide._threads._threads)
    many.cancel()
    await asyncio.gather(many, return_exceptions=True)


async def test_errors_are_raised(pool: BoundedThreadPool) -> None:
    def refuse() -> None:
        raise InvalidInput.of("images[0]", "is no picture")

    with pytest.raises(InvalidInput, match="is no picture"):
        await pool.run([refuse])
