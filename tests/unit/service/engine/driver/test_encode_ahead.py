"""Two workers and one batch: one steps it, the other encodes what comes meanwhile."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
import pytest
import pytest_asyncio

from regard.arrays import Array
from regard_service.engine.core.decode import MAX_ENCODED_POSITIONS
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.core.result import EngineResult
from regard_service.engine.driver.engine import Engine
from regard_service.engine.policy.pace import Pace
from regard_service.engine.policy.policy import EngineConfig
from regard_service.errors import ServiceError
from regard_service.generation import Generation
from tests.unit.service.engine.fake_runner import END_ID, FakeRunner
from tests.waiting import PATIENCE_S

FIRST, DAMAGED = 5, 39


class Encoder(FakeRunner):
    """Counts what it has encoded; a source that begins with DAMAGED cannot be.

    Attributes:
        door: encodings wait until it is set; set at first.
    """

    def __init__(self, step_s: float = 0.0) -> None:
        super().__init__(step_s)
        self.door = threading.Event()
        self.door.set()
        self.num_started = 0
        self.num_encoded = 0
        self.num_source_tokens: list[int] = []  # of every call

    def encode(self, sources: Sequence[Array]) -> dict[str, Array]:
        self.num_started += len(sources)
        self.num_source_tokens.append(sum(map(len, sources)))
        assert self.door.wait(PATIENCE_S)
        if any(source[0] == DAMAGED for source in sources):
            raise RuntimeError("a source that cannot be encoded")
        self.num_encoded += len(sources)
        return super().encode(sources)


def request(length: int, first: int = FIRST) -> EngineRequest:
    source = np.concatenate([[first], np.arange(length - 1) % 20 + 6]).astype(np.int64)
    return EngineRequest(source, Generation(max_new_tokens=60))


def is_echo(asked: EngineRequest, result: EngineResult) -> bool:
    tokens: list[int] = result.hypotheses[0].tokens.tolist()
    return tokens == [*asked.source.tolist(), END_ID]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[Engine]:
    opened = Engine(EngineConfig(num_workers=2, max_slots=32))
    yield opened
    await until(lambda: opened.num_active == 0)
    opened.close()


async def _stuck_in_a_step(engine: Engine, runner: Encoder) -> "tuple[EngineRequest, asyncio.Future[EngineResult]]":
    """A request whose first step waits for the gate."""
    runner.gate.clear()
    asked = request(9)
    running = asyncio.ensure_future(engine.generate(runner, asked))
    await until(lambda: runner.num_held == 1)
    return asked, running


def num_arrived(engine: Engine) -> int:
    """Requests that are encoded and wait for the next step."""
    return sum(batch.num_arrived for lane in engine._policy.lanes for batch in lane.batches)


async def test_what_comes_during_a_step_is_encoded_meanwhile(engine: Engine) -> None:
    runner = Encoder()
    first, running = await _stuck_in_a_step(engine, runner)
    second = request(7)
    joining = asyncio.ensure_future(engine.generate(runner, second))
    await until(lambda: num_arrived(engine) == 1)
    runner.gate.set()
    assert is_echo(first, await running)
    assert is_echo(second, await joining)
    assert max(runner.batch_sizes) == 2
    assert len(engine.batches()) == 1


class Observant(Encoder):
    """Notes which calls were to use all cores."""

    def __init__(self) -> None:
        super().__init__()
        self.on_all_cores: list[bool] = []

    def encode(self, sources: Sequence[Array]) -> dict[str, Array]:
        self.on_all_cores.append(False)
        return super().encode(sources)

    def encode_on_all_cores(self, sources: Sequence[Array]) -> dict[str, Array]:
        self.on_all_cores.append(True)
        return super().encode(sources)


async def test_a_request_is_encoded_on_all_cores_while_others_idle(engine: Engine) -> None:
    runner = Observant()
    await until(lambda: len(engine._workers._idle) == 2)
    await engine.generate(runner, request(5))
    assert runner.on_all_cores == [True]
    await until(lambda: len(engine._workers._idle) == 2)
    runner.gate.clear()
    first = asyncio.ensure_future(engine.generate(runner, request(5)))
    await until(lambda: runner.num_encoded == 2)
    second = asyncio.ensure_future(engine.generate(runner, request(5)))
    await until(lambda: runner.num_encoded == 3)
    runner.gate.set()
    await asyncio.gather(first, second)
    assert runner.on_all_cores == [True, True, False], "another worker stepped meanwhile"


async def test_many_long_sources_are_encoded_some_at_a_time() -> None:
    engine, runner = Engine(EngineConfig(num_workers=1)), Encoder()
    runner.door.clear()
    requests = [request(5), *(request(50) for _ in range(30)), request(MAX_ENCODED_POSITIONS + 10)]
    answers = [asyncio.ensure_future(engine.generate(runner, each)) for each in requests]
    await until(lambda: runner.num_started)  # the first alone, and whoever came before a worker woke
    runner.door.set()
    results = await asyncio.gather(*answers)
    engine.close()
    assert all(is_echo(asked, result) for asked, result in zip(requests[:-1], results, strict=False))
    assert max(runner.num_source_tokens) == MAX_ENCODED_POSITIONS + 10  # which cannot be divided
    assert 2 * 50 in runner.num_source_tokens
    assert sum(total > MAX_ENCODED_POSITIONS for total in runner.num_source_tokens) == 1


async def test_what_cannot_be_encoded_costs_only_itself(engine: Engine) -> None:
    runner = Encoder()
    first, running = await _stuck_in_a_step(engine, runner)
    with pytest.raises(ServiceError):
        await engine.generate(runner, request(7, DAMAGED))
    runner.gate.set()
    assert is_echo(first, await running)


async def test_a_batch_that_fails_once_costs_nobody_who_was_encoded_for_it(engine: Engine) -> None:
    """Of several in a failed batch, each runs again alone."""
    runner = Encoder()
    first, running = await _stuck_in_a_step(engine, runner)
    second = request(7)
    joining = asyncio.ensure_future(engine.generate(runner, second))
    await until(lambda: num_arrived(engine) == 1)
    runner.fail = True
    runner.gate.set()
    assert is_echo(first, await running)
    assert is_echo(second, await joining)
    later = request(5)
    assert is_echo(later, await engine.generate(runner, later))


async def test_a_batch_that_fails_costs_nobody_who_was_still_encoded_for_it(engine: Engine) -> None:
    runner = Encoder()
    _, running = await _stuck_in_a_step(engine, runner)
    runner.door.clear()
    second = request(7)
    joining = asyncio.ensure_future(engine.generate(runner, second))
    await until(lambda: runner.num_started == 2)
    runner.fail = True
    runner.gate.set()
    with pytest.raises(ServiceError):
        await running
    runner.door.set()
    assert is_echo(second, await joining)
    later = request(5)
    assert is_echo(later, await engine.generate(runner, later))


async def _results_of_many(engine: Engine, runner: Encoder) -> None:
    requests = [request(5) for _ in range(24)]
    results = await asyncio.gather(*(engine.generate(runner, each) for each in requests))
    assert all(is_echo(asked, result) for asked, result in zip(requests, results, strict=True))


async def test_a_heavy_model_has_a_batch_a_worker(engine: Engine) -> None:
    runner = Encoder(step_s=0.02)  # heavy on an idle machine, and more so on a busy one
    await engine.generate(runner, request(5))  # now its pace is known
    runner.gate.clear()
    results = asyncio.ensure_future(_results_of_many(engine, runner))
    await until(lambda: runner.num_held == 2)  # both workers have a batch, however late the second one woke
    runner.gate.set()
    await results
    assert len(engine.batches()) == 2


async def test_a_light_model_has_one_thick_batch(engine: Engine) -> None:
    runner = Encoder()
    await engine.generate(runner, request(5))
    (lane,) = engine._policy.lanes
    lane.pace = Pace()  # on a busy machine the measured pace may be that of a heavy model
    lane.pace.stepped(lane.shape.max_slots, 1, seconds=1e-6)
    lane.pace.finished(6)
    await _results_of_many(engine, runner)
    assert len(engine.batches()) == 1
