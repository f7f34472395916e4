"""Continuous batching, with a model that needs no graphs: who joins, who leaves, and what it costs the others."""

import asyncio
import os
import time
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.request import CommittedToken, EngineRequest, EngineResult
from regard_service.engine.core.slots import Slots
from regard_service.engine.core.ticket import Phase, Ticket
from regard_service.engine.driver import scheduler as engine
from regard_service.engine.driver.scheduler import Scheduler, SchedulerConfig
from regard_service.engine.policy import step_budget as turn
from regard_service.engine.runtime.runner import StepBindings, StepOutput
from regard_service.errors import DeadlinePassed, Draining, Overloaded, ServiceError
from regard_service.generation import Generation

from tests.unit.service.engine.fake_runner import END_ID, FakeRunner


def request(length: int, *, first: int = 5, beams: int = 1, **options: object) -> EngineRequest:
    source = (first + np.arange(length)) % 30 + 5
    generation = Generation(max_new_tokens=60, num_beams=beams)
    return EngineRequest(source, generation, **options)  # type: ignore[arg-type]


def said(result: EngineResult) -> list[int]:
    return [int(token) for token in result.hypotheses[0].tokens]


class Recorder(EngineObserver):
    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.phases: list[Phase] = []

    def finished(self, model: str, outcome: str, num_tokens: int, phase: Phase) -> None:
        self.outcomes.append(outcome)
        self.phases.append(phase)


@pytest.fixture
def make_scheduler():
    opened: list[Scheduler] = []

    def make(observer: EngineObserver | None = None, **sizes: int) -> Scheduler:
        config = SchedulerConfig(**{"num_workers": 1, "max_slots": 8, "max_queue": 64, **sizes})
        opened.append(Scheduler(config, observer))
        return opened[-1]

    yield make
    for scheduler in opened:
        scheduler.close()


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("num_workers", [1, 2])
async def test_everyone_gets_their_own_answer(make_scheduler, beams: int, num_workers: int) -> None:
    scheduler, runner = make_scheduler(num_workers=num_workers), FakeRunner()
    requests = [request(length=3 + 7 * n % 40, first=n, beams=beams) for n in range(50)]
    results = await asyncio.gather(*(scheduler.generate(runner, r) for r in requests))
    for asked, result in zip(requests, results, strict=True):
        assert said(result) == [*asked.source.tolist(), END_ID]
        assert result.hypotheses[0].finish_reason == "end"


async def test_a_running_batch_takes_new_requests(make_scheduler) -> None:
    scheduler, runner = make_scheduler(), FakeRunner(step_s=0.002)
    long = asyncio.ensure_future(scheduler.generate(runner, request(50)))
    while runner.num_steps < 3:
        await asyncio.sleep(0.001)
    short = await scheduler.generate(runner, request(40))
    assert not long.done() or runner.num_steps < 95, "the second request waited for the first"
    assert max(runner.batch_sizes) == 2
    assert len(said(short)) == 41
    assert len(said(await long)) == 51


class Eventful(FakeRunner):
    """Calls something during the first step of so many requests."""

    def __init__(self, num_live: int, happens: Callable[[], object]) -> None:
        super().__init__()
        self._num_live = num_live
        self._happens = happens

    def step(self, slots: Slots, num_live: int, num_candidates: int, bindings: StepBindings) -> StepOutput:
        if num_live == self._num_live not in self.batch_sizes:
            self._happens()
        return super().step(slots, num_live, num_candidates, bindings)


@pytest.mark.parametrize(("num_more", "sizes"), [(1, [8, 8, 9]), (2, [8, 10, 10])])
async def test_fewer_than_a_quarter_wait_one_step_for_others(
    make_scheduler, monkeypatch: pytest.MonkeyPatch, num_more: int, sizes: list[int]
) -> None:
    monkeypatch.setattr(turn, "MAX_TURN_S", 0.0)
    scheduler, loop = make_scheduler(max_slots=16), asyncio.get_running_loop()

    def more_come() -> None:
        asyncio.run_coroutine_threadsafe(submit(num_more), loop).result(10)

    async def submit(count: int) -> None:
        tickets.extend(scheduler.submit(runner, request(40)) for _ in range(count))

    tickets: list[Ticket] = []
    runner = Eventful(8, more_come)
    runner.gate.clear()
    await submit(8)
    runner.gate.set()
    for ticket in tickets:  # grows meanwhile
        await asyncio.wait_for(ticket.done, 10)
    first = runner.batch_sizes.index(8)
    assert runner.batch_sizes[first : first + 3] == sizes


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux has it")
@pytest.mark.parametrize("num_more", [0, 1])
async def test_workers_keep_to_cores_of_their_own_where_they_are_as_many(make_scheduler, num_more: int) -> None:
    cores = os.sched_getaffinity(0)
    scheduler, runner = make_scheduler(num_workers=len(cores) + num_more), FakeRunner()
    await asyncio.gather(*(scheduler.generate(runner, request(5)) for _ in range(4)))
    workers = scheduler._workers

    def placed() -> list[set[int]]:
        return [os.sched_getaffinity(worker.native_id or 0) for worker in workers]

    if num_more:
        assert placed() == [cores] * len(workers)
        return
    while any(len(places) > 1 for places in placed()):  # a worker goes there as it begins
        await asyncio.sleep(0.001)
    assert set().union(*placed()) == cores


@pytest.mark.parametrize("num_kept", [0, 1, 2])
async def test_idle_batches_are_kept_up_to_a_limit_of_bytes(
    make_scheduler, monkeypatch: pytest.MonkeyPatch, num_kept: int
) -> None:
    scheduler, runner = make_scheduler(), FakeRunner()
    await scheduler.generate(runner, request(40))
    (larger,) = scheduler.batches()
    monkeypatch.setattr(engine, "MAX_IDLE_BYTES", num_kept * (larger.memory_bytes + larger.state_bytes))
    await scheduler.generate(runner, request(5))
    while scheduler.num_active:  # the worker tells first, then tidies up
        await asyncio.sleep(0.001)
    assert [batch.shape.source for batch in scheduler.batches()] == [64, 32][2 - num_kept :]


@pytest.mark.parametrize(("lengths", "buckets"), [((20, 20), [32, 32]), ((20, 40), [32, 64])])
async def test_lanes_of_one_model_share_the_workers(
    make_scheduler, lengths: tuple[int, int], buckets: list[int]
) -> None:
    scheduler, runner = make_scheduler(num_workers=2, max_slots=32), FakeRunner(step_s=0.002)
    runner.gate.clear()
    tickets = [scheduler.submit(runner, request(length)) for _ in range(16) for length in lengths]
    runner.gate.set()
    for ticket in tickets:
        await asyncio.wait_for(ticket.done, 10)
    assert sorted(batch.shape.source for batch in scheduler.batches()) == buckets


class LonelyAtLast(FakeRunner):
    """Stands still when one is left of two."""

    def step(self, slots: Slots, num_live: int, num_candidates: int, bindings: StepBindings) -> StepOutput:
        if num_live == 1 and 2 in self.batch_sizes:
            self.gate.clear()
        return super().step(slots, num_live, num_candidates, bindings)


async def test_a_result_waits_for_nobodys_next_step(make_scheduler) -> None:
    scheduler, runner = make_scheduler(), LonelyAtLast()
    long, short = scheduler.submit(runner, request(30)), scheduler.submit(runner, request(4))
    assert len(said(await asyncio.wait_for(short.done, 5))) == 5
    assert not long.done.done()
    assert runner.num_steps < 10
    runner.batch_sizes.clear()
    runner.gate.set()
    assert len(said(await asyncio.wait_for(long.done, 5))) == 31


async def test_attention_follows_the_request_and_is_absent_unless_asked(make_scheduler) -> None:
    scheduler, runner = make_scheduler(), FakeRunner()
    with_maps, without = await asyncio.gather(
        scheduler.generate(runner, request(6, attention=True, beams=2)), scheduler.generate(runner, request(6, beams=2))
    )
    attention = with_maps.hypotheses[0].cross_attention
    assert attention is not None
    assert attention.shape == (1, 1, 7, 6)
    np.testing.assert_array_equal(attention[0, 0, :6], np.eye(6))
    assert without.hypotheses[0].cross_attention is None


@pytest.mark.parametrize("beams", [1, 4])
async def test_a_stream_gets_every_token_once_and_in_order(make_scheduler, beams: int) -> None:
    scheduler, runner = make_scheduler(), FakeRunner()
    heard: list[CommittedToken] = []
    result = await scheduler.generate(runner, request(9, beams=beams, attention=True), heard.extend)
    assert [token.id for token in heard] == said(result)[: len(heard)]
    assert heard[0].cross_attention is not None
    assert heard[0].cross_attention.shape == (1, 1, 9)


async def test_a_cancelled_request_frees_its_slots_before_the_next_step(make_scheduler) -> None:
    observer = Recorder()
    scheduler, runner = make_scheduler(observer, max_slots=1), FakeRunner()
    runner.gate.clear()
    running = asyncio.ensure_future(scheduler.generate(runner, request(50)))
    waiting = asyncio.ensure_future(scheduler.generate(runner, request(5)))
    await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.sleep(0.01)
    runner.gate.set()
    assert len(said(await asyncio.wait_for(waiting, 5))) == 6
    assert runner.num_steps <= 8, "the cancelled request was decoded on"
    assert observer.outcomes == ["cancelled", "done"]


async def test_a_cancelled_request_leaves_the_queue(make_scheduler) -> None:
    scheduler, runner = make_scheduler(max_slots=1), FakeRunner()
    runner.gate.clear()
    first = asyncio.ensure_future(scheduler.generate(runner, request(3)))
    await asyncio.sleep(0.05)
    waiting = asyncio.ensure_future(scheduler.generate(runner, request(3)))
    await asyncio.sleep(0.01)
    assert scheduler.num_active == 2
    waiting.cancel()
    await asyncio.sleep(0.01)
    assert scheduler.num_active == 1
    runner.gate.set()
    await first


async def test_a_deadline_ends_a_request_between_steps(make_scheduler) -> None:
    observer = Recorder()
    scheduler, runner = make_scheduler(observer), FakeRunner(step_s=0.01)
    with pytest.raises(DeadlinePassed):
        await scheduler.generate(runner, request(50, deadline=time.monotonic() + 0.1))
    assert (observer.outcomes, observer.phases) == (["deadline"], ["decode"])
    steps = runner.num_steps
    assert 1 <= steps < 40
    assert len(said(await scheduler.generate(runner, request(4)))) == 5
    assert runner.num_steps - steps == 5


async def test_an_interruption_tells_how_far_the_request_had_come(make_scheduler) -> None:
    observer = Recorder()
    scheduler, runner = make_scheduler(observer, max_slots=1), FakeRunner(encode_s=0.2)
    overdue = asyncio.ensure_future(scheduler.generate(runner, request(5, deadline=time.monotonic() + 0.1)))
    waiting = asyncio.ensure_future(scheduler.generate(runner, request(5, deadline=time.monotonic() + 0.1)))
    with pytest.raises(DeadlinePassed, match="decoding"):
        await overdue
    with pytest.raises(DeadlinePassed, match="queue"):
        await waiting
    assert (observer.outcomes, observer.phases) == (["deadline", "deadline"], ["encode", "queue"])


async def test_what_is_cancelled_because_its_time_is_up_counts_as_that(make_scheduler) -> None:
    observer = Recorder()
    scheduler, runner = make_scheduler(observer, max_slots=1), FakeRunner()
    runner.gate.clear()
    deadline = time.monotonic() + 0.1
    running, waiting = (
        asyncio.ensure_future(scheduler.generate(runner, request(50, deadline=deadline))) for _ in range(2)
    )
    await asyncio.sleep(0.15)
    for task in (waiting, running):
        task.cancel()  # as gRPC does
    await asyncio.gather(running, waiting, return_exceptions=True)
    runner.gate.set()
    while len(observer.outcomes) < 2:
        await asyncio.sleep(0.01)
    assert (observer.outcomes, observer.phases) == (["deadline", "deadline"], ["queue", "decode"])


async def test_a_full_queue_refuses_and_says_when_to_return(make_scheduler) -> None:
    scheduler, runner = make_scheduler(max_slots=1, max_queue=2), FakeRunner()
    runner.gate.clear()
    held = [asyncio.ensure_future(scheduler.generate(runner, request(2)))]
    await asyncio.sleep(0.05)
    held += [asyncio.ensure_future(scheduler.generate(runner, request(2))) for _ in range(2)]
    await asyncio.sleep(0.01)
    with pytest.raises(Overloaded, match="the limit is 2") as refused:
        await scheduler.generate(runner, request(2))
    assert refused.value.retry_after_s > 0
    runner.gate.set()
    assert all(len(said(r)) == 3 for r in await asyncio.gather(*held))


async def test_bulk_waits_behind_interactive(make_scheduler) -> None:
    scheduler, runner = make_scheduler(max_slots=1), FakeRunner()
    runner.gate.clear()
    order: list[str] = []
    tasks = []
    for name, bulk in (("running", False), ("bulk", True), ("interactive", False)):
        task = asyncio.ensure_future(scheduler.generate(runner, request(3, bulk=bulk)))
        task.add_done_callback(lambda _, name=name: order.append(name))
        tasks.append(task)
        await asyncio.sleep(0.05)
    runner.gate.set()
    await asyncio.gather(*tasks)
    assert order == ["running", "interactive", "bulk"]


async def test_a_failing_batch_costs_only_its_own_requests(make_scheduler, caplog) -> None:
    scheduler, runner, other = make_scheduler(num_workers=2), FakeRunner(step_s=0.002), FakeRunner(step_s=0.002)
    spared = asyncio.ensure_future(scheduler.generate(other, request(30)))
    runner.fail = True
    with pytest.raises(ServiceError, match="engine failed"):
        await scheduler.generate(runner, request(5))
    assert "a graph that fails" in caplog.text
    assert len(said(await spared)) == 31
    assert len(said(await scheduler.generate(runner, request(5)))) == 6


async def test_drain_finishes_what_there_is_and_takes_no_more(make_scheduler) -> None:
    scheduler, runner = make_scheduler(), FakeRunner(step_s=0.002)
    accepted = [asyncio.ensure_future(scheduler.generate(runner, request(20))) for _ in range(20)]
    await asyncio.sleep(0.01)
    drained = asyncio.ensure_future(scheduler.drain(timeout_s=10))
    await asyncio.sleep(0.01)
    with pytest.raises(Draining):
        await scheduler.generate(runner, request(2))
    assert await drained
    assert all(len(said(r)) == 21 for r in await asyncio.gather(*accepted))


async def test_close_tells_those_who_wait(make_scheduler) -> None:
    scheduler, runner = make_scheduler(max_slots=1), FakeRunner(step_s=0.01)
    tasks = [asyncio.ensure_future(scheduler.generate(runner, request(40))) for _ in range(3)]
    await asyncio.sleep(0.03)
    await asyncio.to_thread(scheduler.close)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, Draining) for outcome in outcomes)


async def test_a_step_that_does_not_end_is_told_and_so_is_its_end(make_scheduler) -> None:
    scheduler, runner = make_scheduler(num_workers=2), FakeRunner()
    assert scheduler.stalled_s() == 0
    runner.gate.clear()
    stuck = asyncio.ensure_future(scheduler.generate(runner, request(5)))
    await asyncio.sleep(0.1)
    await scheduler.generate(FakeRunner(), request(3))  # that others advance is no comfort
    assert 0.09 < scheduler.stalled_s() < 5
    runner.gate.set()
    await stuck
    async with asyncio.timeout(5):
        while scheduler.stalled_s():  # the worker tells its callers first, then gives the batch back
            await asyncio.sleep(0.01)


async def test_a_long_request_whose_steps_end_is_not_stalled(make_scheduler) -> None:
    scheduler, runner = make_scheduler(), FakeRunner(step_s=0.01)
    running = asyncio.ensure_future(scheduler.generate(runner, request(40)))
    begin, worst = time.monotonic(), 0.0
    while not running.done():
        worst = max(worst, scheduler.stalled_s())
        await asyncio.sleep(0.005)
    assert worst < (time.monotonic() - begin) / 2


async def test_a_forgotten_runner_finishes_what_it_has_and_is_freed(make_scheduler) -> None:
    scheduler, runner = make_scheduler(num_workers=2), FakeRunner()
    runner.gate.clear()
    running = asyncio.ensure_future(scheduler.generate(runner, request(5)))
    await asyncio.sleep(0.05)
    scheduler.forget(runner)
    runner.gate.set()
    assert len(said(await running)) == 6
    late = await scheduler.generate(runner, request(7))  # a call that was being read meanwhile
    assert len(said(late)) == 8
    freed = weakref.ref(runner)
    del runner, running
    async with asyncio.timeout(5):
        while freed() is not None:
            await asyncio.sleep(0.01)
