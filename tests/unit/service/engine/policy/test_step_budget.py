"""Several steps a turn: what they make is what single steps make, and who ends them."""

import asyncio
import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from regard_service.engine.core.batch import RunningBatch, once
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.request import CommittedToken, EngineRequest, EngineResult
from regard_service.engine.core.slots import Slots, SlotsShape
from regard_service.engine.core.ticket import STEPS_BETWEEN_TIMES, Delivery, Ticket
from regard_service.engine.driver.scheduler import Scheduler, SchedulerConfig
from regard_service.engine.policy import step_budget as turn_module
from regard_service.engine.policy.lane import Lane
from regard_service.engine.policy.pace import OVERHEAD_SLOTS, Pace
from regard_service.engine.policy.step_budget import MAX_TURN_S, OVERHEAD_S, Turn
from regard_service.engine.runtime.runner import StepBindings, StepOutput
from regard_service.generation import Generation, Sampling

from tests.unit.service.engine.fake_runner import END_ID, FakeRunner

SHAPE = SlotsShape(max_requests=4, num_beams=1, source=32, capacity=64)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Of the tickets' futures, which nobody waits for."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


class Recorder(EngineObserver):
    def __init__(self) -> None:
        self.num_slots: list[int] = []
        self.num_first_tokens = 0

    def stepped(self, model: str, num_slots: int, seconds: float) -> None:
        assert seconds >= 0
        self.num_slots.append(num_slots)

    def first_token(self, model: str, seconds: float) -> None:
        self.num_first_tokens += 1


class Bench:
    """A running batch that can be given requests."""

    def __init__(self, loop: asyncio.AbstractEventLoop, runner: FakeRunner | None = None) -> None:
        self.loop = loop
        self.runner = runner or FakeRunner()
        self.observer = Recorder()
        self.batch = RunningBatch(self.runner, SHAPE, self.observer)

    def join(
        self,
        length: int,
        max_new_tokens: int = 60,
        *,
        streams: bool = False,
        attention: bool = False,
        deadline: float | None = None,
        sampling: Sampling | None = None,
    ) -> Ticket:
        generation = Generation(max_new_tokens, sampling=sampling)
        request = EngineRequest((np.arange(length) % 30) + 5, generation, attention=attention, deadline=deadline)
        ticket = Ticket(request, self.loop.create_future(), (lambda tokens: None) if streams else None)
        ticket.step_times = []
        self.batch.join(self.batch.encode([ticket]))
        return ticket


def result_of(ticket: Ticket, deliveries: list[Delivery]) -> EngineResult:
    (result,) = (d.outcome for d in deliveries if d.ticket is ticket and isinstance(d.outcome, EngineResult))
    return result


jobs = st.lists(
    st.tuples(st.integers(1, 31), st.integers(1, 40), st.booleans(), st.booleans(), st.integers(0, 6)),
    min_size=1,
    max_size=6,
)


@given(jobs, st.lists(st.booleans(), min_size=1, max_size=30))
def test_several_steps_a_turn_make_what_single_ones_make(
    jobs: list[tuple[int, int, bool, bool, int]], decisions: list[bool]
) -> None:
    """Requests of all lengths, with and without limits, maps and streams, that join at any turn."""
    loop = asyncio.new_event_loop()
    bench, deliveries, tickets = Bench(loop), [], []
    turn, decided, waiting = 0, 0, sorted(jobs, key=lambda job: job[-1])

    def goes_on(num_ended: int) -> bool:
        nonlocal decided
        decided += 1
        return decisions[decided % len(decisions)]

    while waiting or bench.batch.num_live:
        while waiting and waiting[0][-1] <= turn and bench.batch.num_live < SHAPE.max_requests:
            length, limit, streams, attention, _ = waiting.pop(0)
            tickets.append(bench.join(length, limit, streams=streams, attention=attention))
        deliveries += bench.batch.step(goes_on)
        turn += 1
    loop.close()
    for ticket in tickets:
        source, limit = ticket.request.source.tolist(), ticket.request.generation.max_new_tokens
        (best,) = result_of(ticket, deliveries).hypotheses
        expected = [*source, END_ID][:limit]
        assert best.tokens.tolist() == expected
        assert best.finish_reason == ("end" if len(expected) > len(source) else "length")
        assert best.logprobs.shape == (len(expected),)
        assert ticket.num_steps == len(expected)
        assert [step for step, _ in ticket.step_times or ()] == [*range(1, len(expected) + 1, STEPS_BETWEEN_TIMES)]
        if ticket.request.attention:
            assert best.cross_attention is not None
            assert best.cross_attention.shape == (1, 1, len(expected), len(source))
            maps = best.cross_attention[0, 0, : len(source)]
            np.testing.assert_array_equal(maps, np.eye(len(source))[: len(maps)])
        if ticket.on_tokens is not None:
            parts = [d.outcome for d in deliveries if d.ticket is ticket and isinstance(d.outcome, list)]
            heard: list[CommittedToken] = [token for part in parts for token in part]
            assert [token.id for token in heard] == expected[: len(heard)]
    assert bench.observer.num_first_tokens == len(tickets)
    assert len(bench.observer.num_slots) == bench.runner.num_steps == bench.batch.num_steps


def test_no_turn_passes_the_first_limit(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop)
    bench.join(30)
    short = bench.join(30, max_new_tokens=3)
    deliveries = bench.batch.step(lambda num_ended: True)
    assert bench.runner.num_steps == 3
    assert result_of(short, deliveries).hypotheses[0].finish_reason == "length"


def test_a_turn_ends_when_all_have_ended(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop)
    seen: list[int] = []
    for length in (2, 5):
        bench.join(length)

    def goes_on(num_ended: int) -> bool:
        seen.append(num_ended)
        return True

    deliveries = bench.batch.step(goes_on)
    assert seen == [0, 0, 1, 1, 1]
    assert bench.runner.num_steps == 6
    assert len(deliveries) == 2


def test_a_turn_ends_when_a_caller_has_left(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop)
    leaving, staying = bench.join(20), bench.join(20)

    def goes_on(num_ended: int) -> bool:
        leaving.departed = bench.runner.num_steps == 4
        return True

    bench.batch.step(goes_on)
    assert bench.runner.num_steps == 5  # it was looked at after the step in whose course the caller left
    bench.batch.step(once)
    assert bench.batch.tickets == [staying]


def test_a_turn_ends_at_the_first_deadline(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, FakeRunner(step_s=0.01))
    overdue = bench.join(30, deadline=time.monotonic() + 0.05)
    bench.join(30)
    bench.batch.step(lambda num_ended: True)
    assert 1 <= bench.runner.num_steps <= 6
    bench.batch.step(once)
    assert overdue not in bench.batch.tickets


def test_who_draws_tokens_takes_one_step_a_turn(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop)
    bench.join(20)
    bench.join(20, sampling=Sampling(seed=1))
    bench.batch.step(lambda num_ended: True)
    assert bench.runner.num_steps == 1


def lane(slot_s: float | None, num_slots: int = 4) -> tuple[Lane, RunningBatch]:
    """A lane whose slots cost so much, and its batch."""
    made = Lane(FakeRunner(), SHAPE, Pace())
    made.batches.append(RunningBatch(made.runner, SHAPE, EngineObserver()))
    if slot_s is not None:
        made.pace.stepped(num_slots, 1, slot_s * (num_slots + OVERHEAD_SLOTS))
    return made, made.batches[0]


def nobody_else() -> bool:
    return False


def turn_of(slot_s: float | None) -> Turn:
    return Turn(*lane(slot_s), nobody_else)


def num_steps(turn: Turn, ended: list[int]) -> int:
    """How many steps a turn has, if so many requests have ended by the end of each."""
    return next((number for number, count in enumerate(ended, 1) if not turn.goes_on(count)), len(ended) + 1)


def test_a_turn_goes_on_until_more_is_wasted_than_the_next_one_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_module, "MAX_TURN_S", 10.0)
    third = OVERHEAD_S / 2.9
    assert num_steps(turn_of(third), [0, 0, 1, 1, 1, 1]) == 5
    assert num_steps(turn_of(third), [1, 2, 2]) == 2
    assert num_steps(turn_of(third), [0] * 9) == 10
    assert num_steps(turn_of(2 * OVERHEAD_S), [0, 0, 1]) == 3, "a large model wastes nothing"
    assert num_steps(turn_of(None), [0, 0]) == 1, "nothing is known of the first"


def test_who_waits_for_a_free_slot_is_waste_too(
    monkeypatch: pytest.MonkeyPatch, loop: asyncio.AbstractEventLoop
) -> None:
    monkeypatch.setattr(turn_module, "MAX_TURN_S", 10.0)
    found, batch = lane(OVERHEAD_S / 2.9)
    request = EngineRequest(np.arange(5), Generation(max_new_tokens=9))
    for _ in range(2):
        found.queue.push(Ticket(request, loop.create_future()), "", bulk=False)
    assert num_steps(Turn(found, batch, nobody_else), [0] * 9) == 2
    batch.num_requests = SHAPE.max_requests
    assert num_steps(Turn(found, batch, nobody_else), [0] * 9) == 10, "there is no slot for them"
    batch.arrived.append(batch.encode([Ticket(request, loop.create_future())]))
    assert num_steps(Turn(found, batch, nobody_else), [0] * 9) == 3, "they have a slot already"


def test_no_turn_is_long() -> None:
    turn = turn_of(1e-6)
    began = time.monotonic()
    while turn.goes_on(0):
        assert time.monotonic() - began < 100 * MAX_TURN_S
    assert time.monotonic() - began >= MAX_TURN_S / 2


def test_while_another_lane_waits_a_turn_has_one_step() -> None:
    turn = Turn(*lane(OVERHEAD_S / 100), lambda: True)
    assert num_steps(turn, [0] * 9) == 1


class Lengths(FakeRunner):
    """Notes of each step how long its lane's sources may be."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[int] = []

    def step(self, slots: Slots, num_live: int, num_candidates: int, bindings: StepBindings) -> StepOutput:
        self.sources.append(slots.shape.source)
        return super().step(slots, num_live, num_candidates, bindings)


async def test_lanes_take_turns_step_by_step_while_both_have_work() -> None:
    scheduler, runner = Scheduler(SchedulerConfig(num_workers=1)), Lengths()
    try:
        for length in (20, 40):  # a lane whose pace is not known takes single steps anyway
            await scheduler.generate(runner, EngineRequest(np.arange(length) % 30 + 5, Generation(60)))
        runner.sources.clear()
        runner.gate.clear()
        requests = [EngineRequest(np.arange(length) % 30 + 5, Generation(60)) for length in (31, 50)]
        tickets = [scheduler.submit(runner, request) for request in requests]
        runner.gate.set()
        await asyncio.gather(*(ticket.done for ticket in tickets))
    finally:
        scheduler.close()
    both = runner.sources[: 2 * 32]  # as long as the shorter output
    assert sorted(both[:2]) == [32, 64]
    assert all(before != after for before, after in pairwise(both))
