"""How fast one caller's messages are taken in beside others; the clock advances by what is slept."""

import asyncio
from itertools import pairwise

import pytest

from regard_service.calls.inbound import BYTES_PER_S, MAX_UNCOUNTED_BYTES, RESERVED_BYTES, Inbound
from regard_service.calls.present import PresentCallers


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock, sleep = Clock(), asyncio.sleep

    async def advance(seconds: float) -> None:
        until = clock.now + seconds
        await sleep(0)
        clock.now = max(clock.now, until)

    monkeypatch.setattr(asyncio, "sleep", advance)
    return clock


async def test_large_messages_of_a_caller_wait_beside_others(clock: Clock) -> None:
    present = PresentCallers(lambda: 0.0)
    present.meet("honest")
    inbound = Inbound(present, clock)
    for _ in range(10):
        await inbound.turn("greedy")
        inbound.charge("greedy", BYTES_PER_S)
    assert clock.now == pytest.approx(9, abs=0.5)
    assert not inbound.has_to_wait("honest")


async def test_calls_that_wait_at_the_same_time_do_not_all_go_at_once(clock: Clock) -> None:
    present = PresentCallers(lambda: 0.0)
    present.meet("honest")
    inbound = Inbound(present, clock)
    inbound.charge("greedy", BYTES_PER_S)
    began = []

    async def read() -> None:
        await inbound.turn("greedy")
        began.append(clock.now)

    await asyncio.gather(*(read() for _ in range(8)))
    gaps = [after - before for before, after in pairwise(began)]
    assert min(gaps) >= 0.99 * RESERVED_BYTES / BYTES_PER_S


async def test_a_lone_caller_and_small_messages_never_wait(clock: Clock) -> None:
    present = PresentCallers(lambda: 0.0)
    present.meet("alone")
    inbound = Inbound(present, clock)
    for _ in range(10):
        await inbound.turn("alone")
        inbound.charge("alone", BYTES_PER_S)
    present.meet("honest")
    for _ in range(1000):
        await inbound.turn("small")
        inbound.charge("small", MAX_UNCOUNTED_BYTES)
    assert clock.now == 0
