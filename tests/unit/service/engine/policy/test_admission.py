"""Who is refused, with what, and when to come back; with a model that needs no graphs."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from regard_service.engine.core.batch import RunningBatch
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.request import EngineRequest, EngineResult
from regard_service.engine.core.slots import SlotsShape
from regard_service.engine.core.ticket import Ticket
from regard_service.engine.driver import scheduler as scheduler_module
from regard_service.engine.driver.scheduler import Scheduler, SchedulerConfig
from regard_service.engine.policy.admission import Waiting
from regard_service.engine.policy.forecast import alone_s, wait_s, work_s
from regard_service.engine.policy.lane import Lane
from regard_service.engine.policy.pace import Average, Pace
from regard_service.errors import DeadlinePassed, DeadlineUnreachable, Draining, OutOfMemory, Overloaded
from regard_service.generation import Generation

from tests.unit.service.engine.fake_runner import FakeRunner

LENGTH, NUM_STEPS, STEP_S = 9, 10, 0.002

Make = Callable[..., Scheduler]
Running = asyncio.Task[EngineResult]


def request(*, beams: int = 1, timeout: float | None = None, **options: object) -> EngineRequest:
    deadline = None if timeout is None else time.monotonic() + timeout
    generation = Generation(max_new_tokens=60, num_beams=beams)
    return EngineRequest(np.arange(LENGTH) + 5, generation, deadline=deadline, **options)  # type: ignore[arg-type]


@pytest.fixture
def make_scheduler() -> Iterator[Make]:
    opened: list[Scheduler] = []

    def make(**sizes: float) -> Scheduler:
        """One slot, so that whatever comes second waits."""
        opened.append(Scheduler(SchedulerConfig(**{"num_workers": 1, "max_slots": 1, **sizes})))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for scheduler in opened:
        scheduler.close()


async def paced(scheduler: Scheduler, *beams: int) -> FakeRunner:
    """A runner whose pace the scheduler knows, for each number of beams."""
    runner = FakeRunner(step_s=STEP_S)
    for each in beams or (1,):
        await scheduler.generate(runner, request(beams=each))
    return runner


@asynccontextmanager
async def held(scheduler: Scheduler, runner: FakeRunner, num_waiting: int, **options: object) -> AsyncIterator[None]:
    """One request runs, so many wait, and none of them goes on; in the end all are answered."""
    await until(lambda: not scheduler.num_active)
    runner.gate.clear()
    tasks = [asyncio.create_task(scheduler.generate(runner, request(**options)))]
    await until(lambda: scheduler.num_active == 1 and not waiting(scheduler).num_requests)
    tasks += [asyncio.create_task(scheduler.generate(runner, request(**options))) for _ in range(num_waiting)]
    await asyncio.sleep(0)
    assert waiting(scheduler).num_requests == num_waiting
    try:
        yield
    finally:
        runner.gate.set()
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    await until(lambda: waiting(scheduler) == Waiting())


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():
            await asyncio.sleep(0.001)


def waiting(scheduler: Scheduler) -> Waiting:
    return scheduler._admission.waiting


@pytest.mark.parametrize(("beams", "num_fitting"), [(1, 10), (4, 4)])
async def test_beams_count_as_what_they_cost(make_scheduler: Make, beams: int, num_fitting: int) -> None:
    scheduler = make_scheduler(max_queue_tokens=200)
    runner = await paced(scheduler, beams)
    async with held(scheduler, runner, num_fitting, beams=beams):
        with pytest.raises(Overloaded, match="the limit is 200") as refused:
            scheduler.submit(runner, request(beams=beams))
        assert refused.value.retry_after_s > 0


async def test_what_comes_to_an_empty_queue_is_let_in_whatever_it_needs(make_scheduler: Make) -> None:
    scheduler = make_scheduler(max_queue_tokens=1)
    runner = await paced(scheduler)
    async with held(scheduler, runner, 1):
        with pytest.raises(Overloaded):
            scheduler.submit(runner, request())


async def test_who_would_be_late_is_refused_at_once_and_told_when_to_return(make_scheduler: Make) -> None:
    scheduler = make_scheduler()
    runner = await paced(scheduler)
    async with held(scheduler, runner, 20):  # some 20 times 10 steps of 2 ms, and more on a busy machine
        # Not DeadlinePassed, as it would be told after its deadline.
        with pytest.raises(DeadlineUnreachable, match="its deadline is in") as refused:
            await scheduler.generate(runner, request(timeout=0.1))
        assert 0.1 <= refused.value.retry_after_s <= 30
        patient = asyncio.create_task(scheduler.generate(runner, request(timeout=60)))
        await asyncio.sleep(0)
        assert not patient.done()
    await patient


async def test_who_would_be_late_without_waiting_may_try(make_scheduler: Make) -> None:
    scheduler = make_scheduler()
    runner = await paced(scheduler)
    await until(lambda: not scheduler.num_active)
    with pytest.raises(DeadlinePassed):
        await scheduler.generate(runner, request(timeout=STEP_S))


async def test_nobody_is_late_by_a_pace_that_is_unknown(make_scheduler: Make) -> None:
    scheduler, runner = make_scheduler(), FakeRunner(step_s=STEP_S)
    async with held(scheduler, runner, 20):
        task = asyncio.create_task(scheduler.generate(runner, request(timeout=0.05)))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), 0.1)
    with pytest.raises(DeadlinePassed):
        await task


async def test_interactive_requests_wait_no_longer_than_the_limit_and_bulk_may(make_scheduler: Make) -> None:
    scheduler = make_scheduler(max_queue_s=0.2)
    runner = await paced(scheduler)
    async with held(scheduler, runner, 50, bulk=True):
        scheduler.cancel(scheduler.submit(runner, request(bulk=True)))
        interactive = asyncio.create_task(scheduler.generate(runner, request()))  # goes before them
        await asyncio.sleep(0)
    await interactive
    async with held(scheduler, runner, 1):
        for _ in range(20):  # of which the last would wait for longer, and only the next one is told
            scheduler.submit(runner, request(), is_checked=True)
        with pytest.raises(Overloaded, match=r"the limit is 0\.2 s"):
            scheduler.submit(runner, request())


async def test_one_caller_leaves_room_for_others(make_scheduler: Make) -> None:
    scheduler = make_scheduler(max_queue=16)
    runner = await paced(scheduler)
    async with held(scheduler, runner, 14, caller="busy"):
        with pytest.raises(Overloaded, match="the limit is 14"):
            scheduler.submit(runner, request(caller="busy"))
        for _ in range(2):
            scheduler.submit(runner, request(caller="other"))
        with pytest.raises(Overloaded, match="the limit is 14"):
            scheduler.submit(runner, request(caller="other"))
        with pytest.raises(Overloaded, match="the limit is 16"):
            scheduler.submit(runner, request(caller="third"))


async def test_a_calls_requests_are_let_in_together_or_not_at_all(make_scheduler: Make) -> None:
    scheduler = make_scheduler(max_queue=32)
    runner = await paced(scheduler)
    async with held(scheduler, runner, 4):
        with pytest.raises(Overloaded):
            scheduler.check(runner, [request()] * 40, 40)
        scheduler.check(runner, [request()] * 4000, 20)  # so many at once
        with pytest.raises(DeadlineUnreachable):
            scheduler.check(runner, [request(timeout=2)] * 4000, 20)
        assert waiting(scheduler).num_requests == 4


async def test_what_would_be_refused_is_so_before_it_is_read(make_scheduler: Make) -> None:
    scheduler = make_scheduler(max_queue=32)
    runner = await paced(scheduler)
    unknown = FakeRunner()
    async with held(scheduler, runner, 20):
        with pytest.raises(Overloaded, match="the limit is 28"):
            scheduler.check_unread(runner, request(), 9)
        with pytest.raises(DeadlineUnreachable):
            scheduler.check_unread(runner, request(timeout=0.1), 1)
        scheduler.check_unread(runner, request(timeout=60), 1)
        scheduler.check_unread(runner, request(timeout=0.1, beams=2), 1)  # nobody knows
        scheduler.check_unread(unknown, request(timeout=0.1), 1)


async def test_what_has_been_read_is_refused_only_if_it_is_late_as_a_rule(make_scheduler: Make) -> None:
    scheduler = make_scheduler()
    runner = await paced(scheduler)
    async with held(scheduler, runner, 20):
        work_before_s = scheduler._admission._backlog.through(request(), 0.0)
        tight = request(timeout=1.5 * work_before_s)  # and the slowness is 2 at first
        with pytest.raises(DeadlineUnreachable):
            scheduler.check(runner, [tight], 1)
        scheduler.check(runner, [tight], 1, was_read=True)
        with pytest.raises(DeadlineUnreachable):
            scheduler.check(runner, [request(timeout=work_before_s / 2)], 1, was_read=True)


async def test_a_draining_server_lets_in_only_what_it_has_promised(make_scheduler: Make) -> None:
    scheduler = make_scheduler()
    runner = await paced(scheduler)
    scheduler.check(runner, [request()] * 2, 1)
    assert await scheduler.drain(1)
    await scheduler.generate(runner, request(), is_checked=True)
    with pytest.raises(Draining):
        scheduler.check(runner, [request()] * 2, 1)
    with pytest.raises(Draining):
        await scheduler.generate(runner, request())


async def test_a_callers_many_requests_do_not_delay_anothers_one(make_scheduler: Make) -> None:
    scheduler = make_scheduler(max_queue=2000)
    runner = await paced(scheduler)
    ended: list[str] = []

    def note(task: Running, caller: str) -> None:
        ended.append(caller)

    runner.gate.clear()
    tasks = []
    for caller in ["busy"] * 60 + ["other"]:
        task = asyncio.create_task(scheduler.generate(runner, request(caller=caller)))
        task.add_done_callback(lambda task, caller=caller: note(task, caller))
        tasks.append(task)
    await asyncio.sleep(0)
    runner.gate.set()
    async with asyncio.timeout(30):
        await tasks[-1]
    assert len(ended) <= 4  # the one that ran, and one or two more
    for task in tasks:
        task.cancel()


async def test_without_memory_for_a_step_its_batch_is_told_and_the_engine_goes_on(
    make_scheduler: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler = make_scheduler()
    runner = await paced(scheduler)
    for error in (MemoryError(), RuntimeError("Failed to allocate memory for requested buffer of size 1")):

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(FakeRunner, "step", fail)
            with pytest.raises(OutOfMemory):
                await scheduler.generate(runner, request())
        await scheduler.generate(runner, request())


async def test_without_memory_for_a_batch_those_who_wait_are_told_and_the_engine_goes_on(
    make_scheduler: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler, runner = make_scheduler(), FakeRunner()

    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(scheduler_module, "RunningBatch", fail)
        outcomes = await asyncio.gather(
            *(scheduler.generate(runner, request()) for _ in range(3)), return_exceptions=True
        )
    assert all(isinstance(outcome, OutOfMemory) for outcome in outcomes)
    assert waiting(scheduler) == Waiting()
    await scheduler.generate(runner, request())


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10**6))), st.randoms())
def test_what_waits_is_counted(arrivals: list[tuple[str, int]], random: object) -> None:
    counted, there = Waiting(), []
    loop = asyncio.new_event_loop()
    for caller, num_tokens in arrivals:
        there.append((Ticket(request(caller=caller), loop.create_future()), num_tokens))
        counted.add(*there[-1])
    loop.close()
    random.shuffle(there)  # type: ignore[attr-defined]
    while there:
        assert counted.num_requests == len(there)
        assert counted.num_tokens == sum(num_tokens for _, num_tokens in there)
        for caller in "abc":
            assert counted.of(caller) == sum(ticket.request.caller == caller for ticket, _ in there)
        counted.remove(there.pop()[0])
    assert counted == Waiting()


def lane_at(pace: Pace, num_waiting: int = 0, caller: str = "busy") -> Lane:
    lane = Lane(FakeRunner(), SlotsShape(max_requests=4, num_beams=1, source=32, capacity=64), pace)
    for number in range(num_waiting):
        lane.queue.push(number, caller, bulk=False)  # type: ignore[arg-type]  # it is only counted
    return lane


def pace_of(slot_s: float, num_steps: float) -> Pace:
    """A pace at which encoding costs nothing."""
    pace = Pace()
    pace._slot_s, pace._num_steps = Average(slot_s), Average(num_steps)
    return pace


def waits(lane: Lane, *others: Lane, num_workers: int = 1, caller: str = "busy") -> float:
    return wait_s(request(caller=caller), lane, [lane, *others], num_workers)


def test_a_wait_is_foretold_by_what_is_before_a_request() -> None:
    # A full step, 4 slots and 2 for its overhead, takes 6 ms; a request 10 of them, and 4 requests share them.
    lane = lane_at(pace_of(slot_s=0.001, num_steps=10), num_waiting=20)
    assert waits(lane) == pytest.approx(0.006 * 10 / 4 * (20 + 1 - 4))
    assert waits(lane, caller="other") == 0  # callers take turns: another's goes second, and there is room
    assert waits(lane, num_workers=2) == pytest.approx(0.0075 * (20 + 1 - 8))  # twice the room


def test_a_wait_counts_what_other_lanes_run_between_the_steps() -> None:
    pace = pace_of(slot_s=0.001, num_steps=10)
    lane, other = lane_at(pace, num_waiting=4), lane_at(pace)
    other.batches = [RunningBatch(other.runner, other.shape, EngineObserver())]
    other.batches[0].num_requests = 2
    assert waits(lane, other) == pytest.approx(10 / 4 * (0.006 + 0.004))
    other.pace.had_turn(0.050)  # it encodes pictures before its steps
    assert waits(lane, other) == pytest.approx(10 / 4 * (0.006 + 0.050))


def test_a_request_costs_its_part_of_a_full_batch_and_takes_longer_alone() -> None:
    lane = lane_at(pace_of(slot_s=0.001, num_steps=10))
    assert work_s(lane, request()) == pytest.approx(10 * 0.006 / 4)
    assert alone_s(lane, request(), LENGTH) == pytest.approx(10 * 0.003)


def test_a_pace_follows_and_forgives() -> None:
    average = Average()
    for _ in range(10):
        average.add(1.0)
    average.add(1000.0)  # the process stood still
    assert average.value == pytest.approx(1.2)
    for _ in range(100):
        average.add(3.0)
    assert average.value == pytest.approx(3.0, rel=0.02)


def test_the_steps_expected_are_the_usual_within_what_is_asked() -> None:
    pace = Pace()
    assert pace.num_steps(Generation(max_new_tokens=60), 9) == 9
    pace.finished(20)
    assert pace.num_steps(Generation(max_new_tokens=60), 9) == 20
    assert pace.num_steps(Generation(max_new_tokens=5), 9) == 5
    assert pace.num_steps(Generation(max_new_tokens=60, min_new_tokens=50), 9) == 50
