"""The threads that read inputs: order, the bound, and cancelled callers."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.errors import InvalidInput, Overloaded
from tests.waiting import PATIENCE_S


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


async def test_errors_are_raised(pool: BoundedThreadPool) -> None:
    def refuse() -> None:
        raise InvalidInput.of("images[0]", "is no picture")

    with pytest.raises(InvalidInput, match="is no picture"):
        await pool.run([refuse])
