"""Permits: places that a call holds from before its inputs are read until its requests have entered the queue."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from regard_service.engine.core.batch import RunningBatch
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.driver import workers
from regard_service.engine.driver.engine import Engine
from regard_service.engine.policy.admission import Waiting
from regard_service.engine.policy.policy import EngineConfig
from regard_service.engine.runtime.runner import Runner
from regard_service.engine.runtime.slots import SlotsShape
from regard_service.errors import DeadlinePassed, Draining, OutOfMemory, Overloaded
from regard_service.generation import Generation
from tests.unit.service.engine.fake_runner import FakeRunner
from tests.waiting import PATIENCE_S

Make = Callable[..., Engine]


def request(*, timeout: float | None = None, caller: str = "") -> EngineRequest:
    deadline = None if timeout is None else time.monotonic() + timeout
    return EngineRequest(np.arange(9) + 5, Generation(max_new_tokens=60), deadline=deadline, caller=caller)


@pytest.fixture
def make_engine() -> Iterator[Make]:
    opened: list[Engine] = []

    def make(max_queue: int = 512, max_queue_tokens: float = math.inf) -> Engine:
        """One slot, so that the second request waits."""
        config = EngineConfig(num_workers=1, max_slots=1, max_queue=max_queue, max_queue_tokens=max_queue_tokens)
        opened.append(Engine(config))
        return opened[-1]

    yield make
    for engine in opened:
        engine.close()


@asynccontextmanager
async def held(engine: Engine, runner: FakeRunner, num_waiting: int) -> AsyncIterator[None]:
    """One request runs, others wait, and none of them goes on; in the end all are answered."""
    runner.gate.clear()
    tasks = [asyncio.create_task(engine.generate(runner, request()))]
    await until(lambda: runner.num_held)
    tasks += [asyncio.create_task(engine.generate(runner, request())) for _ in range(num_waiting)]
    await asyncio.sleep(0)
    assert waiting(engine).num_requests == num_waiting
    try:
        yield
    finally:
        runner.gate.set()
    await asyncio.gather(*tasks)
    await until(lambda: waiting(engine) == Waiting())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


def waiting(engine: Engine) -> Waiting:
    return engine._policy.admission.waiting


async def test_a_permit_holds_places_and_gives_them_back(make_engine: Make) -> None:
    engine, runner = make_engine(max_queue=16), FakeRunner()
    async with held(engine, runner, 4):
        with engine.permit(runner, request(caller="first"), 10):
            assert waiting(engine).num_requests == 14
            with pytest.raises(Overloaded, match="14 requests wait and 3 came"):
                engine.permit(runner, request(caller="second"), 3)
            with engine.permit(runner, request(caller="second"), 2):
                pass
        with engine.permit(runner, request(caller="second"), 3):
            pass


async def test_a_permit_is_given_back_when_reading_fails(make_engine: Make) -> None:
    engine, runner = make_engine(), FakeRunner()
    with pytest.raises(ValueError, match="cannot be read"), engine.permit(runner, request(), 7):
        raise ValueError("cannot be read")
    assert waiting(engine) == Waiting()


async def test_a_text_of_many_parts_takes_the_places_that_are_free(make_engine: Make) -> None:
    engine, runner = make_engine(max_queue=16), FakeRunner()
    async with held(engine, runner, 4):
        with engine.permit(runner, request(), 1) as permit:
            permit.extend([request()] * 300)
            assert waiting(engine).num_requests == 14, "an eighth of the queue stays free for callers of few"
            permit.extend([request()] * 8)
            assert waiting(engine).num_requests == 12
        assert waiting(engine).num_requests == 4


async def test_a_text_of_many_parts_keeps_its_place_in_a_full_queue(make_engine: Make) -> None:
    engine, runner = make_engine(max_queue=4), FakeRunner()
    requests = [request() for _ in range(300)]
    with engine.permit(runner, requests[0], 1) as permit:
        with engine.permit(runner, requests[0], 3):
            permit.extend(requests)
            assert permit.num_places == 1
        results = await permit.run_all(requests)
    assert [result.hypotheses[0].tokens.tolist() for result in results] == [[*range(5, 14), 1]] * 300
    await until(lambda: waiting(engine) == Waiting())


async def test_tokens_bound_the_places_of_a_text_of_many_parts(make_engine: Make) -> None:
    engine, runner = make_engine(max_queue_tokens=60), FakeRunner()
    with engine.permit(runner, request(), 1) as permit:
        permit.extend([request()] * 300)
        assert 1 <= permit.num_places < 10


async def test_a_call_runs_all_its_requests_in_its_places(make_engine: Make) -> None:
    engine, runner = make_engine(max_queue=4), FakeRunner()
    requests = [request() for _ in range(3)]
    with engine.permit(runner, requests[0], 3) as permit:
        permit.extend(requests)
        results = await permit.run_all(requests)
    assert [result.hypotheses[0].tokens.tolist() for result in results] == [[*range(5, 14), 1]] * 3
    await until(lambda: waiting(engine) == Waiting())


async def test_where_one_request_fails_the_others_of_its_call_are_cancelled(make_engine: Make) -> None:
    engine, runner = make_engine(), FakeRunner()
    async with held(engine, runner, 0):
        requests = [request(timeout=0.05), request()]
        with engine.permit(runner, requests[1], 2) as permit:
            permit.extend([requests[1]] * 2)
            running = asyncio.ensure_future(permit.run_all(requests))
            await until(lambda: time.monotonic() > (requests[0].deadline or 0))
            runner.gate.set()
            with pytest.raises(DeadlinePassed):
                await running
        await until(lambda: not engine.num_active)


async def test_a_draining_engine_runs_what_it_has_permitted_and_no_more(make_engine: Make) -> None:
    engine, runner = make_engine(), FakeRunner()
    with engine.permit(runner, request(), 1) as permit:
        assert await engine.drain(60)
        permit.extend([request()])
        await permit.run(request())
        with pytest.raises(Draining):
            engine.permit(runner, request(), 1)
        with pytest.raises(Draining):
            await engine.generate(runner, request())


async def test_the_many_requests_of_a_caller_do_not_delay_another_s_one(make_engine: Make) -> None:
    engine, runner = make_engine(max_queue=2000), FakeRunner()
    ended: list[str] = []

    def noting(caller: str) -> Callable[[object], None]:
        return lambda _: ended.append(caller)

    runner.gate.clear()
    tasks = []
    for caller in ["busy"] * 60 + ["other"]:
        task = asyncio.create_task(engine.generate(runner, request(caller=caller)))
        task.add_done_callback(noting(caller))
        tasks.append(task)
    await asyncio.sleep(0)
    runner.gate.set()
    await tasks[-1]
    # Behind the one that ran, and one or two more. By now more may have ended: a busy loop learns of many at once.
    assert ended.index("other") <= 3
    for task in tasks:
        task.cancel()


async def test_without_memory_for_a_step_its_batch_fails_and_the_engine_goes_on(
    make_engine: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine, runner = make_engine(), FakeRunner()
    for error in (MemoryError(), RuntimeError("Failed to allocate memory for requested buffer of size 1")):

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(FakeRunner, "step", fail)
            with pytest.raises(OutOfMemory):
                await engine.generate(runner, request())
        await engine.generate(runner, request())


async def test_without_memory_for_a_batch_waiting_requests_fail_and_the_engine_goes_on(
    make_engine: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine, runner = make_engine(), FakeRunner()

    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(workers, "open_batch", fail)
        outcomes = await asyncio.gather(*(engine.generate(runner, request()) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, OutOfMemory) for outcome in outcomes)
    assert waiting(engine) == Waiting()
    await engine.generate(runner, request())


async def test_without_memory_for_another_batch_the_running_one_does(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine, runner = Engine(EngineConfig(num_workers=2, max_slots=2)), FakeRunner()
    opened: list[RunningBatch] = []

    def open_one(runner: Runner, shape: SlotsShape, observer: EngineObserver) -> RunningBatch:
        if opened:
            raise MemoryError
        opened.append(RunningBatch(runner, shape, observer))
        return opened[0]

    monkeypatch.setattr(workers, "open_batch", open_one)
    results = await asyncio.gather(*(engine.generate(runner, request()) for _ in range(12)))
    assert all(result.hypotheses[0].tokens.tolist() == [*range(5, 14), 1] for result in results)
    engine.close()
