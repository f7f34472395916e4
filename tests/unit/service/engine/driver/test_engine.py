"""Continuous batching, with a model that needs no graphs: who joins, who leaves, and what it costs the others.

No verdict depends on the machine's speed: steps are counted, and a gate holds them until a condition holds.
"""

import asyncio
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from regard.arrays import Array
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.request import EngineRequest, Phase
from regard_service.engine.core.result import CommittedToken, EngineResult
from regard_service.engine.driver import workers
from regard_service.engine.driver.engine import Engine
from regard_service.engine.policy import expected, step_budget
from regard_service.engine.policy.policy import BatchingPolicy, EngineConfig
from regard_service.engine.runtime.runner import StepBindings, StepOutput
from regard_service.engine.runtime.slots import Slots
from regard_service.errors import DeadlinePassed, Draining, Overloaded, ServiceError
from regard_service.generation import Generation
from tests.unit.service.engine.fake_runner import END_ID, FakeRunner
from tests.waiting import PATIENCE_S, ever_longer


def request(length: int, *, first: int = 5, beams: int = 1, **options: object) -> EngineRequest:
    source = (first + np.arange(length)) % 30 + 5
    generation = Generation(max_new_tokens=60, num_beams=beams)
    return EngineRequest(source, generation, **options)  # type: ignore[arg-type]


Running = asyncio.Task[EngineResult]


async def submitted(engine: Engine, runner: FakeRunner, asked: EngineRequest) -> Running:
    """A request that is in the engine when this returns."""
    num_before = engine.num_active
    task = asyncio.create_task(engine.generate(runner, asked))
    await asyncio.sleep(0)
    assert engine.num_active > num_before
    return task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


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
def make_engine():
    opened: list[Engine] = []

    def make(observer: EngineObserver | None = None, **sizes: int) -> Engine:
        config = EngineConfig(**{"num_workers": 1, "max_slots": 8, "max_queue": 64, **sizes})
        opened.append(Engine(config, observer))
        return opened[-1]

    yield make
    for engine in opened:
        engine.close()


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("num_workers", [1, 2])
async def test_everyone_gets_their_own_answer(make_engine, beams: int, num_workers: int) -> None:
    engine, runner = make_engine(num_workers=num_workers), FakeRunner()
    requests = [request(length=3 + 7 * n % 40, first=n, beams=beams) for n in range(50)]
    results = await asyncio.gather(*(engine.generate(runner, r) for r in requests))
    for asked, result in zip(requests, results, strict=True):
        assert said(result) == [*asked.source.tolist(), END_ID]
        assert result.hypotheses[0].finish_reason == "end"


class HeldAfterThreeSteps(FakeRunner):
    """Waits for the gate before its fourth step."""

    def step(self, slots: Slots, num_live: int, num_candidates: int, bindings: StepBindings) -> StepOutput:
        if self.num_steps == 3:
            self.gate.clear()
        return super().step(slots, num_live, num_candidates, bindings)


async def test_a_running_batch_takes_new_requests(make_engine) -> None:
    engine, runner = make_engine(), HeldAfterThreeSteps()
    long = asyncio.ensure_future(engine.generate(runner, request(50)))
    await until(lambda: runner.num_held)
    short_running = await submitted(engine, runner, request(40))
    runner.gate.set()
    short = await short_running
    assert runner.num_steps < 3 + 51 + 41, "the second request waited for the first"
    assert max(runner.batch_sizes) == 2
    assert len(said(short)) == 41
    assert len(said(await long)) == 51


class Eventful(FakeRunner):
    """Calls a function during the first step of a given number of requests."""

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
    make_engine, monkeypatch: pytest.MonkeyPatch, num_more: int, sizes: list[int]
) -> None:
    monkeypatch.setattr(step_budget, "MAX_VISIT_S", 0.0)
    engine, loop = make_engine(max_slots=16), asyncio.get_running_loop()

    def more_come() -> None:
        asyncio.run_coroutine_threadsafe(submit(num_more), loop).result(PATIENCE_S)

    async def submit(count: int) -> None:
        running.extend([await submitted(engine, runner, request(40)) for _ in range(count)])

    running: list[Running] = []
    runner = Eventful(8, more_come)
    runner.gate.clear()
    await submit(8)
    runner.gate.set()
    for task in running:  # grows meanwhile
        await task
    first = runner.batch_sizes.index(8)
    assert runner.batch_sizes[first : first + 3] == sizes


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux has it")
@pytest.mark.parametrize("num_more", [0, 1])
async def test_workers_keep_to_cores_of_their_own_where_they_are_as_many(make_engine, num_more: int) -> None:
    cores = os.sched_getaffinity(0)
    engine, runner = make_engine(num_workers=len(cores) + num_more), FakeRunner()
    await asyncio.gather(*(engine.generate(runner, request(5)) for _ in range(4)))
    threads = engine._workers._threads

    def placed() -> list[set[int]]:
        return [os.sched_getaffinity(thread.native_id or 0) for thread in threads]

    if num_more:
        assert placed() == [cores] * len(threads)
        return
    await until(lambda: all(len(places) == 1 for places in placed()))  # a worker goes there as it begins
    assert set().union(*placed()) == cores


@pytest.mark.parametrize("num_kept", [0, 1, 2])
async def test_idle_batches_are_kept_up_to_a_limit_of_bytes(
    make_engine, monkeypatch: pytest.MonkeyPatch, num_kept: int
) -> None:
    engine, runner = make_engine(), FakeRunner()
    await engine.generate(runner, request(40))
    (larger,) = engine.batches()
    monkeypatch.setattr(workers, "MAX_IDLE_BYTES", num_kept * (larger.encoded_bytes + larger.state_bytes))
    await engine.generate(runner, request(5))
    await until(lambda: not engine.num_active)  # the worker delivers the result first, then releases buffers
    assert [batch.shape.source for batch in engine.batches()] == [64, 32][2 - num_kept :]


@pytest.mark.parametrize(("lengths", "buckets"), [((20, 20), [32, 32]), ((20, 40), [32, 64])])
async def test_lanes_of_one_model_share_the_workers(make_engine, lengths: tuple[int, int], buckets: list[int]) -> None:
    engine, runner = make_engine(num_workers=2, max_slots=32), FakeRunner(step_s=0.002)
    runner.gate.clear()
    running = [await submitted(engine, runner, request(length)) for _ in range(16) for length in lengths]
    await until(lambda: runner.num_held == 2)  # both workers have a batch, however late the second one woke
    runner.gate.set()
    await asyncio.gather(*running)
    assert sorted(batch.shape.source for batch in engine.batches()) == buckets


class LonelyAtLast(FakeRunner):
    """Stands still when one is left of two."""

    def step(self, slots: Slots, num_live: int, num_candidates: int, bindings: StepBindings) -> StepOutput:
        if num_live == 1 and 2 in self.batch_sizes:
            self.gate.clear()
        return super().step(slots, num_live, num_candidates, bindings)


async def test_a_result_waits_for_nobodys_next_step(make_engine) -> None:
    engine, runner = make_engine(), LonelyAtLast()
    runner.gate.clear()
    long, short = [await submitted(engine, runner, request(length)) for length in (30, 4)]
    runner.gate.set()
    assert len(said(await short)) == 5
    assert not long.done()
    assert runner.num_steps < 10
    runner.batch_sizes.clear()
    runner.gate.set()
    assert len(said(await long)) == 31


async def test_attention_follows_the_request_and_is_absent_unless_asked(make_engine) -> None:
    engine, runner = make_engine(), FakeRunner()
    with_maps, without = await asyncio.gather(
        engine.generate(runner, request(6, attention=True, beams=2)), engine.generate(runner, request(6, beams=2))
    )
    attention = with_maps.hypotheses[0].cross_attention
    assert attention is not None
    assert attention.shape == (1, 1, 7, 6)
    np.testing.assert_array_equal(attention[0, 0, :6], np.eye(6))
    assert without.hypotheses[0].cross_attention is None


@pytest.mark.parametrize("beams", [1, 4])
async def test_a_stream_gets_every_token_once_and_in_order(make_engine, beams: int) -> None:
    engine, runner = make_engine(), FakeRunner()
    heard: list[CommittedToken] = []
    result = await engine.generate(runner, request(9, beams=beams, attention=True), heard.extend)
    assert [token.id for token in heard] == said(result)[: len(heard)]
    assert heard[0].cross_attention is not None
    assert heard[0].cross_attention.shape == (1, 1, 9)


async def test_a_cancelled_request_frees_its_slots_before_the_next_step(make_engine) -> None:
    observer = Recorder()
    engine, runner = make_engine(observer, max_slots=1), FakeRunner()
    runner.gate.clear()
    running = await submitted(engine, runner, request(50))
    waiting = await submitted(engine, runner, request(5))
    await until(lambda: runner.num_held)
    running.cancel()
    await asyncio.wait([running])
    runner.gate.set()
    assert len(said(await waiting)) == 6
    assert runner.num_steps <= 8, "the cancelled request was decoded on"
    assert observer.outcomes == ["cancelled", "done"]


async def test_a_cancelled_request_leaves_the_queue(make_engine) -> None:
    engine, runner = make_engine(max_slots=1), FakeRunner()
    runner.gate.clear()
    first = await submitted(engine, runner, request(3))
    await until(lambda: runner.num_held)
    waiting = await submitted(engine, runner, request(3))
    assert engine.num_active == 2
    waiting.cancel()
    await asyncio.wait([waiting])
    assert engine.num_active == 1
    runner.gate.set()
    await first


class Timed(FakeRunner):
    """Holds its second step until a time has passed."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self._until = until

    def step(self, slots: Slots, num_live: int, num_candidates: int, bindings: StepBindings) -> StepOutput:
        if self.num_steps == 1:
            time.sleep(max(0.0, self._until - time.monotonic()))
        return super().step(slots, num_live, num_candidates, bindings)


async def test_a_deadline_ends_a_request_between_steps(make_engine) -> None:
    for time_s in ever_longer(1.0):
        observer = Recorder()
        deadline = time.monotonic() + time_s
        engine, runner = make_engine(observer), Timed(deadline)
        with pytest.raises(DeadlinePassed):
            await engine.generate(runner, request(50, deadline=deadline))
        if runner.num_steps:
            break  # a busy machine may pass the deadline before the first step
    assert (observer.outcomes, observer.phases) == (["deadline"], ["decode"])
    assert runner.num_steps == 2, "the step that ran when the deadline passed was the last"
    assert len(said(await engine.generate(runner, request(4)))) == 5
    assert runner.num_steps == 2 + 5


class SlowEncoder(FakeRunner):
    """Encodes until after a deadline; `is_early` if it began before."""

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline
        self.is_early = False

    def encode(self, sources: Sequence[Array]) -> dict[str, Array]:
        left_s = self._deadline - time.monotonic()
        self.is_early = left_s > 0
        time.sleep(max(0.0, left_s + 0.01))
        return super().encode(sources)


async def test_an_interruption_names_the_phase_of_the_request(make_engine) -> None:
    for time_s in ever_longer(1.0):
        observer, deadline = Recorder(), time.monotonic() + time_s
        engine, runner = make_engine(observer, max_slots=1), SlowEncoder(deadline)
        overdue = await submitted(engine, runner, request(5, deadline=deadline))
        waiting = await submitted(engine, runner, request(5, deadline=deadline))
        late = await asyncio.gather(overdue, waiting, return_exceptions=True)
        if runner.is_early:
            break
    assert [type(error) for error in late] == [DeadlinePassed, DeadlinePassed]
    assert "decoding" in str(late[0])
    assert "queue" in str(late[1])
    assert (observer.outcomes, observer.phases) == (["deadline", "deadline"], ["encode", "queue"])


async def _cancel_at_the_deadline(engine: Engine, runner: FakeRunner, time_s: float) -> bool:
    """Cancels a running and a waiting request when their deadline has passed; whether a step had begun before."""
    deadline = time.monotonic() + time_s
    running, waiting = [await submitted(engine, runner, request(50, deadline=deadline)) for _ in range(2)]
    await until(lambda: runner.num_held or time.monotonic() > deadline)
    was_held = bool(runner.num_held)
    await until(lambda: time.monotonic() > deadline)
    for task in (waiting, running):
        task.cancel()  # as gRPC does
    await asyncio.gather(running, waiting, return_exceptions=True)
    runner.gate.set()
    return was_held


async def _observed(observer: Recorder, num_outcomes: int) -> None:
    await until(lambda: len(observer.outcomes) == num_outcomes)


async def test_a_request_that_is_cancelled_at_its_deadline_counts_as_late(make_engine) -> None:
    for time_s in ever_longer(1.0):
        observer, runner = Recorder(), FakeRunner()
        runner.gate.clear()
        was_held = await _cancel_at_the_deadline(make_engine(observer, max_slots=1), runner, time_s)
        await _observed(observer, 2)
        if was_held:
            break
    assert (observer.outcomes, observer.phases) == (["deadline", "deadline"], ["queue", "decode"])


async def test_a_full_queue_refuses_and_says_when_to_return(make_engine) -> None:
    engine, runner = make_engine(max_slots=1, max_queue=2), FakeRunner()
    runner.gate.clear()
    held = [await submitted(engine, runner, request(2))]
    await until(lambda: runner.num_held)
    held += [await submitted(engine, runner, request(2)) for _ in range(2)]
    with pytest.raises(Overloaded, match="the limit is 2") as refused:
        await engine.generate(runner, request(2))
    assert refused.value.retry_after_s > 0
    runner.gate.set()
    assert all(len(said(r)) == 3 for r in await asyncio.gather(*held))


async def test_bulk_waits_behind_interactive(make_engine) -> None:
    engine, runner = make_engine(max_slots=1), FakeRunner()
    runner.gate.clear()
    order: list[str] = []

    def noting(name: str) -> Callable[[object], None]:
        return lambda _: order.append(name)

    tasks = []
    for name, bulk in (("running", False), ("bulk", True), ("interactive", False)):
        task = await submitted(engine, runner, request(3, bulk=bulk))
        task.add_done_callback(noting(name))
        tasks.append(task)
        await until(lambda: runner.num_held)  # the first runs
    runner.gate.set()
    await asyncio.gather(*tasks)
    assert order == ["running", "interactive", "bulk"]


async def test_a_failing_batch_costs_only_its_own_requests(make_engine, caplog) -> None:
    engine, runner, other = make_engine(num_workers=2), FakeRunner(step_s=0.002), FakeRunner(step_s=0.002)
    spared = asyncio.ensure_future(engine.generate(other, request(30)))
    runner.fail = True
    with pytest.raises(ServiceError, match="engine failed"):
        await engine.generate(runner, request(5))
    assert "a graph that fails" in caplog.text
    assert len(said(await spared)) == 31
    assert len(said(await engine.generate(runner, request(5)))) == 6


class Poisoned(FakeRunner):
    """Fails at every step of a batch that holds a certain source, whoever else is in it."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def step(self, slots: Slots, num_live: int, num_candidates: int, bindings: StepBindings) -> StepOutput:
        output = super().step(slots, num_live, num_candidates, bindings)
        if (slots.source_lengths[:num_live] == POISON_LENGTH).any():
            raise self._error
        return output


POISON_LENGTH = 13


@pytest.mark.parametrize("num_workers", [1, 2])
@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("error", [RuntimeError("a graph that fails"), MemoryError()], ids=["fault", "memory"])
async def test_a_row_that_fails_costs_no_other(
    make_engine, num_workers: int, is_streamed: bool, error: Exception
) -> None:
    """The others run again without it, and their streams go on behind the tokens that they have had."""
    engine, runner = make_engine(num_workers=num_workers), Poisoned(error)
    runner.gate.clear()
    heard: dict[int, list[int]] = {length: [] for length in (5, 6, 7, 8)}

    def listener(length: int):
        return (lambda tokens: heard[length].extend(token.id for token in tokens)) if is_streamed else None

    asked = {length: request(length) for length in heard}
    running = [asyncio.ensure_future(engine.generate(runner, asked[n], listener(n))) for n in asked]
    poison = asyncio.ensure_future(engine.generate(runner, request(POISON_LENGTH)))
    await until(lambda: runner.num_held)
    runner.gate.set()
    results = await asyncio.gather(*running)
    with pytest.raises(ServiceError, match=r"engine failed|memory"):
        await poison
    for (length, each), result in zip(asked.items(), results, strict=True):
        assert said(result)[:-1] == each.source.tolist()
        if is_streamed:
            assert heard[length] == said(result)[: len(heard[length])]
    await until(lambda: not engine.num_active)


async def test_drain_finishes_what_there_is_and_takes_no_more(make_engine) -> None:
    engine, runner = make_engine(), FakeRunner(step_s=0.002)
    accepted = [await submitted(engine, runner, request(20)) for _ in range(20)]
    drained = asyncio.ensure_future(engine.drain(timeout_s=PATIENCE_S))
    await asyncio.sleep(0)
    with pytest.raises(Draining):
        await engine.generate(runner, request(2))
    assert await drained
    assert all(len(said(r)) == 21 for r in await asyncio.gather(*accepted))


async def test_close_tells_those_who_wait(make_engine) -> None:
    engine, runner = make_engine(max_slots=1), FakeRunner()
    runner.gate.clear()
    tasks = [await submitted(engine, runner, request(40)) for _ in range(3)]
    await until(lambda: runner.num_held)
    closing = asyncio.ensure_future(asyncio.to_thread(engine.close))
    await until(lambda: engine._workers.is_closed)
    runner.gate.set()
    await closing
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, Draining) for outcome in outcomes)


async def test_a_step_that_does_not_end_is_reported_and_so_is_its_end(make_engine) -> None:
    engine, runner = make_engine(num_workers=2), FakeRunner()
    assert engine.stalled_s() == 0
    runner.gate.clear()
    stuck = await submitted(engine, runner, request(5))
    await until(lambda: runner.num_held)
    await engine.generate(FakeRunner(), request(3))  # another worker's progress does not hide it
    before = engine.stalled_s()
    await asyncio.sleep(0.1)
    assert engine.stalled_s() >= before + 0.1
    runner.gate.set()
    await stuck
    await until(lambda: not engine.stalled_s())  # the worker delivers the result first, then returns the batch


async def test_a_long_request_whose_steps_end_is_not_stalled(make_engine) -> None:
    engine, runner = make_engine(), FakeRunner(step_s=0.005)
    running = await submitted(engine, runner, request(40))
    began, smallest = time.monotonic(), [0.0]
    while not running.done():
        smallest.append(engine.stalled_s() - (time.monotonic() - began))
        await asyncio.sleep(0.001)
    assert min(smallest) < -0.05, "it counted from the request's beginning, not from the last step's end"


async def test_a_retired_model_finishes_its_requests_and_is_freed(make_engine) -> None:
    engine, runner = make_engine(num_workers=2), FakeRunner()
    runner.gate.clear()
    running = await submitted(engine, runner, request(5))
    await until(partial(getattr, runner, "num_held"))  # a closure would keep the runner
    engine.retire(runner)
    runner.gate.set()
    assert len(said(await running)) == 6
    late = await engine.generate(runner, request(7))  # a call that was being read meanwhile
    assert len(said(late)) == 8
    freed = weakref.ref(runner)
    del runner, running
    await until(lambda: freed() is None)


async def test_a_failure_in_the_step_after_an_eviction_loses_nobody(make_engine, caplog) -> None:
    """The evicted request is over although the step fails: a drain does not wait for it for ever."""
    engine, runner = make_engine(), FakeRunner()
    runner.gate.clear()
    leaving, staying = [await submitted(engine, runner, request(50)) for _ in range(2)]
    await until(lambda: runner.num_held)
    leaving.cancel()
    await asyncio.wait([leaving])
    steps = runner.num_steps
    runner.fail_at = steps + 2  # the first step runs already; the eviction comes before the second
    runner.gate.set()
    with pytest.raises(ServiceError, match="engine failed"):
        await staying
    assert await engine.drain(timeout_s=PATIENCE_S)
    assert engine.num_active == 0


class Lengths(FakeRunner):
    """Notes of each step how long its lane's sources may be."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[int] = []

    def step(self, slots: Slots, num_live: int, num_candidates: int, bindings: StepBindings) -> StepOutput:
        self.sources.append(slots.shape.source)
        return super().step(slots, num_live, num_candidates, bindings)


async def test_lanes_alternate_step_by_step_while_both_have_work(make_engine) -> None:
    engine, runner = make_engine(max_slots=32), Lengths()
    for length in (20, 40):  # a lane whose pace is unknown takes single steps anyway
        await engine.generate(runner, request(length))
    runner.sources.clear()
    runner.gate.clear()
    running = [await submitted(engine, runner, request(length)) for length in (31, 50)]
    runner.gate.set()
    await asyncio.gather(*running)
    both = runner.sources[: 2 * 32]  # as long as the shorter output
    assert sorted(both[:2]) == [32, 64]
    assert all(before != after for before, after in pairwise(both))


class LongAreStuck(FakeRunner):
    """Steps of long sources wait for an event."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()
        self.num_stuck = 0

    def step(self, slots: Slots, num_live: int, num_candidates: int, bindings: StepBindings) -> StepOutput:
        if slots.shape.source > 32:
            self.num_stuck += 1
            assert self.may_go_on.wait(PATIENCE_S)
        return super().step(slots, num_live, num_candidates, bindings)


async def test_a_worker_that_waits_for_a_caller_goes_on_without_him(make_engine, monkeypatch) -> None:
    """One worker is stuck, so nothing but the end of the wait wakes the other."""
    waits: list[float | None] = []

    def keeps_worker_s(policy: BatchingPolicy, now: float, original=BatchingPolicy.keeps_worker_s) -> float | None:
        waits.append(original(policy, now))
        return waits[-1]

    monkeypatch.setattr(BatchingPolicy, "keeps_worker_s", keeps_worker_s)
    monkeypatch.setattr(expected, "MAX_EXPECTED_S", 0.5)
    engine, runner = make_engine(num_workers=2, max_queue=256), LongAreStuck()
    long = [await submitted(engine, runner, request(50, caller="many")) for _ in range(8)]
    await until(lambda: runner.num_stuck)
    runner.gate.clear()
    honest = await submitted(engine, runner, request(9, caller="honest"))
    await until(lambda: runner.num_held)
    short = [await submitted(engine, runner, request(20, caller="many")) for _ in range(64)]
    await asyncio.sleep(0.5)  # he is waited for as long as he stayed
    runner.gate.set()
    await honest
    await asyncio.gather(*short)
    assert any(waits), "nobody was waited for"
    runner.may_go_on.set()
    await asyncio.gather(*long)
