"""Two workers and one batch: one steps it, the other encodes what comes meanwhile."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest
import pytest_asyncio
from regard_service.engine.core.batch import RunningBatch
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.request import EngineRequest, EngineResult
from regard_service.engine.core.slots import Slots, SlotsShape
from regard_service.engine.core.ticket import Ticket
from regard_service.engine.driver.scheduler import MAX_TOGETHER, Scheduler, SchedulerConfig
from regard_service.errors import ServiceError
from regard_service.generation import Generation

from regard.arrays import Array
from tests.unit.service.engine.fake_runner import END_ID, FakeRunner

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
        assert self.door.wait(10)
        if any(source[0] == DAMAGED for source in sources):
            raise RuntimeError("a source that cannot be encoded")
        self.num_encoded += len(sources)
        return super().encode(sources)


def request(length: int, first: int = FIRST) -> EngineRequest:
    source = np.concatenate([[first], np.arange(length - 1) % 20 + 6]).astype(np.int64)
    return EngineRequest(source, Generation(max_new_tokens=60))


def is_echo(asked: EngineRequest, result: EngineResult) -> bool:
    return result.hypotheses[0].tokens.tolist() == [*asked.source.tolist(), END_ID]


async def until(condition: object) -> None:
    assert callable(condition)
    for _ in range(5000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come to that within 10 s")


@pytest_asyncio.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    opened = Scheduler(SchedulerConfig(num_workers=2, max_slots=32))
    yield opened
    await until(lambda: opened.num_active == 0)
    opened.close()


async def _stuck_in_a_step(
    scheduler: Scheduler, runner: Encoder
) -> "tuple[EngineRequest, asyncio.Future[EngineResult]]":
    """A request whose first step waits for the gate."""
    runner.gate.clear()
    asked = request(9)
    running = asyncio.ensure_future(scheduler.generate(runner, asked))
    await until(lambda: runner.num_encoded == 1)
    return asked, running


async def test_what_comes_during_a_step_is_encoded_meanwhile(scheduler: Scheduler) -> None:
    runner = Encoder()
    first, running = await _stuck_in_a_step(scheduler, runner)
    second = request(7)
    joining = asyncio.ensure_future(scheduler.generate(runner, second))
    await until(lambda: runner.num_encoded == 2)
    runner.gate.set()
    assert is_echo(first, await running)
    assert is_echo(second, await joining)
    assert max(runner.batch_sizes) == 2
    assert len(scheduler.batches()) == 1


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


async def test_a_request_is_encoded_on_all_cores_while_others_idle(scheduler: Scheduler) -> None:
    runner = Observant()
    await until(lambda: len(scheduler._idle) == 2)
    await scheduler.generate(runner, request(5))
    assert runner.on_all_cores == [True]
    await until(lambda: len(scheduler._idle) == 2)
    runner.gate.clear()
    first = asyncio.ensure_future(scheduler.generate(runner, request(5)))
    await until(lambda: runner.num_encoded == 2)
    second = asyncio.ensure_future(scheduler.generate(runner, request(5)))
    await until(lambda: runner.num_encoded == 3)
    runner.gate.set()
    await asyncio.gather(first, second)
    assert runner.on_all_cores == [True, True, False], "another worker stepped meanwhile"


async def test_many_long_sources_are_encoded_some_at_a_time() -> None:
    scheduler, runner = Scheduler(SchedulerConfig(num_workers=1)), Encoder()
    runner.door.clear()
    requests = [request(5), *(request(50) for _ in range(30)), request(MAX_TOGETHER + 10)]
    answers = [asyncio.ensure_future(scheduler.generate(runner, each)) for each in requests]
    await until(lambda: runner.num_started)  # the first alone, and whoever came before a worker woke
    runner.door.set()
    results = await asyncio.gather(*answers)
    scheduler.close()
    assert all(is_echo(asked, result) for asked, result in zip(requests[:-1], results, strict=False))
    assert max(runner.num_source_tokens) == MAX_TOGETHER + 10  # which cannot be divided
    assert 2 * 50 in runner.num_source_tokens
    assert sum(total > MAX_TOGETHER for total in runner.num_source_tokens) == 1


async def test_what_cannot_be_encoded_costs_only_itself(scheduler: Scheduler) -> None:
    runner = Encoder()
    first, running = await _stuck_in_a_step(scheduler, runner)
    with pytest.raises(ServiceError):
        await scheduler.generate(runner, request(7, DAMAGED))
    runner.gate.set()
    assert is_echo(first, await running)


@pytest.mark.parametrize("is_encoded", [True, False])
async def test_a_batch_that_fails_costs_who_was_encoded_for_it_and_nobody_later(
    scheduler: Scheduler, is_encoded: bool
) -> None:
    runner = Encoder()
    _, running = await _stuck_in_a_step(scheduler, runner)
    if not is_encoded:
        runner.door.clear()
    joining = asyncio.ensure_future(scheduler.generate(runner, request(7)))
    await until(lambda: runner.num_encoded == 2 if is_encoded else runner.num_started == 2)
    runner.fail = True
    runner.gate.set()
    with pytest.raises(ServiceError):
        await running
    runner.door.set()
    with pytest.raises(ServiceError):
        await joining
    later = request(5)
    assert is_echo(later, await scheduler.generate(runner, later))


@pytest.mark.parametrize(("step_s", "num_batches"), [(0.0, 1), (0.02, 2)])
async def test_a_light_model_has_one_thick_batch_and_a_heavy_one_a_batch_a_worker(
    scheduler: Scheduler, step_s: float, num_batches: int
) -> None:
    runner = Encoder(step_s)
    await scheduler.generate(runner, request(5))  # now its pace is known
    requests = [request(5) for _ in range(24)]
    results = await asyncio.gather(*(scheduler.generate(runner, each) for each in requests))
    assert all(is_echo(asked, result) for asked, result in zip(requests, results, strict=True))
    assert len(scheduler.batches()) == num_batches


async def test_a_free_row_is_taken_over_and_gaps_are_closed_only_where_nobody_joins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moved: list[tuple[int, int]] = []
    move = Slots.move

    def noted(self: Slots, source_row: int, target_row: int) -> None:
        moved.append((source_row, target_row))
        move(self, source_row, target_row)

    monkeypatch.setattr(Slots, "move", noted)
    batch = RunningBatch(FakeRunner(), SlotsShape(4, 1, 32, 64), EngineObserver())
    loop = asyncio.get_running_loop()

    def ticket(length: int) -> Ticket:
        return Ticket(request(length), loop.create_future())

    tickets = [ticket(length) for length in (2, 9, 3)]
    batch.join(batch.encode(tickets))
    outcomes = {}

    def step() -> None:
        outcomes.update({delivery.ticket: delivery.outcome for delivery in batch.step()})

    while tickets[0] not in outcomes:
        step()
    tickets.append(ticket(8))
    batch.join(batch.encode(tickets[3:]))
    while tickets[2] not in outcomes:
        step()
    assert moved == []  # the fourth has the first one's row; the third was the last
    assert batch.num_live == 2
    tickets.append(ticket(15))
    batch.join(batch.encode(tickets[4:]))
    while batch.num_live:
        step()
    assert moved == [(2, 1), (1, 0)]  # somebody ended, and nobody came
    for each in tickets:
        outcome = outcomes[each]
        assert isinstance(outcome, EngineResult)
        assert is_echo(each.request, outcome)
