"""What the policy decides, event by event: no thread, no event loop, no graph, and a clock that the tests set."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regard_service.engine.core.request import EngineRequest, RequestState
from regard_service.engine.policy.decision import EncodeAhead, OpenBatch, StepBatch, Work
from regard_service.engine.policy.lane import Lane
from regard_service.engine.policy.lanes import bucket_of
from regard_service.engine.policy.policy import LIGHT_STEPPING_S, BatchingPolicy, EngineConfig
from regard_service.generation import Generation
from tests.unit.service.engine.fake_runner import FakeRunner

NOW = 1000.0


def request(
    length: int = 9, *, beams: int = 1, bulk: bool = False, caller: str = "", deadline: float | None = None
) -> RequestState:
    generation = Generation(max_new_tokens=60, num_beams=beams)
    asked = EngineRequest(np.arange(length) % 30 + 5, generation, bulk=bulk, caller=caller, deadline=deadline)
    return RequestState(asked, NOW)


class Bench:
    """A policy, one model, and the works that workers hold."""

    def __init__(self, num_workers: int = 1, max_slots: int = 8) -> None:
        self.policy = BatchingPolicy(EngineConfig(num_workers=num_workers, max_slots=max_slots))
        self.runner = FakeRunner()

    def submit(self, *requests: RequestState, runner: FakeRunner | None = None) -> None:
        for each in requests:
            self.policy.submit(each, self.policy.lane(runner or self.runner, each.request))

    def decide(self, now: float = NOW, num_idle: int = 0) -> Work | None:
        """A worker's next work, with its batch open."""
        while isinstance(work := self.policy.decide(now, num_idle).work, OpenBatch):
            self.policy.opened(work.lane)
        return work

    def step(self, num_idle: int = 0) -> StepBatch:
        work = self.decide(num_idle=num_idle)
        assert isinstance(work, StepBatch)
        return work

    def ahead(self) -> EncodeAhead:
        work = self.decide()
        assert isinstance(work, EncodeAhead)
        return work

    def finish(self, work: Work, ended: Sequence[RequestState] = (), num_live: int | None = None) -> None:
        self.policy.finish(work, ended, work.batch.num_requests - len(ended) if num_live is None else num_live, NOW)


def known(lane: Lane, step_s: float, num_steps: int = 10) -> None:
    """Gives a lane a pace: a full batch's step, and the steps of a request."""
    lane.pace.stepped(lane.shape.max_slots, 1, step_s)
    lane.pace.finished(num_steps)


def test_without_requests_there_is_no_work() -> None:
    bench = Bench()
    assert bench.decide() is None
    assert not bench.policy.has_work(NOW)


def test_the_first_request_opens_a_batch_joins_it_and_is_stepped() -> None:
    bench, first = Bench(), request()
    bench.submit(first)
    decision = bench.policy.decide(NOW, num_idle=0)
    assert isinstance(decision.work, OpenBatch)
    bench.policy.opened(decision.work.lane)
    work = bench.step()
    assert list(work.admitted) == [first]
    assert bench.decide() is None, "the batch has its worker"
    bench.finish(work)
    again = bench.step()
    assert list(again.admitted) == []
    assert again.batch is work.batch
    bench.finish(again, [first])
    assert bench.policy.num_active == 0
    assert bench.decide() is None


def test_requests_join_a_running_batch_up_to_its_rows() -> None:
    bench = Bench(max_slots=4)
    requests = [request() for _ in range(6)]
    bench.submit(*requests[:3])
    work = bench.step()
    bench.finish(work)
    bench.submit(*requests[3:])
    work = bench.step()
    assert list(work.admitted) == requests[3:4]
    bench.finish(work, requests[:2])
    assert list(bench.step().admitted) == requests[4:]


def test_beams_and_lengths_have_lanes_of_their_own() -> None:
    bench = Bench(max_slots=8)
    bench.submit(request(9), request(40), request(9, beams=4))
    shapes = {(lane.shape.source, lane.shape.num_beams, lane.shape.max_requests) for lane in bench.policy.lanes}
    assert shapes == {(32, 1, 8), (64, 1, 8), (32, 4, 2)}
    assert bucket_of(5000) == 5000


def test_lanes_are_visited_in_turn() -> None:
    bench = Bench()
    bench.submit(request(9), request(40))
    visited = []
    for _ in range(4):
        work = bench.step()
        visited.append(work.lane.shape.source)
        bench.finish(work)
    assert visited == [32, 64, 32, 64]


def test_a_worker_encodes_for_a_batch_that_another_one_steps() -> None:
    bench, late = Bench(num_workers=2), request()
    bench.submit(request())
    stepping = bench.step()
    bench.submit(late)
    ahead = bench.ahead()
    assert ahead.batch is stepping.batch
    assert list(ahead.admitted) == [late]
    bench.policy.arrived(ahead)
    bench.finish(ahead)
    bench.finish(stepping)
    again = bench.step()
    assert list(again.admitted) == []
    assert (again.batch.num_requests, again.batch.num_arrived) == (2, 0), "the driver lets the arrived one join"


@pytest.mark.parametrize(("step_s", "num_batches"), [(None, 2), (9 * LIGHT_STEPPING_S, 2), (LIGHT_STEPPING_S / 99, 1)])
def test_a_heavy_model_has_a_batch_a_worker_and_a_light_one_a_thick_batch(
    step_s: float | None, num_batches: int
) -> None:
    bench = Bench(num_workers=2, max_slots=32)
    requests = [request() for _ in range(24)]
    if step_s is not None:
        known(bench.policy.lane(bench.runner, requests[0].request), step_s)
    bench.submit(*requests)
    works = [bench.decide(), bench.decide()]
    assert sum(isinstance(work, StepBatch) for work in works) == num_batches
    assert len({work.batch for work in works if work is not None}) == num_batches


def test_fewer_than_a_quarter_wait_one_step_for_more() -> None:
    bench = Bench(max_slots=16)
    bench.submit(*(request() for _ in range(8)))
    bench.finish(bench.step())
    bench.submit(request())
    work = bench.step()
    assert list(work.admitted) == []
    bench.finish(work)
    assert len(bench.step().admitted) == 1, "never twice in a row"


def test_a_lane_without_memory_for_a_batch_gives_its_requests_up_only_if_none_runs() -> None:
    bench, waiting = Bench(num_workers=2, max_slots=1), request()
    bench.submit(request())
    bench.step()
    bench.submit(waiting)
    decision = bench.policy.decide(NOW, num_idle=0)
    assert isinstance(decision.work, OpenBatch)
    lane = decision.work.lane
    assert bench.policy.refuse_waiting(lane, NOW) == []
    assert bench.policy.decide(NOW, num_idle=0, no_memory={lane}).work is None
    alone, asked = Bench(), request()
    alone.submit(asked)
    (lane,) = alone.policy.lanes
    assert alone.policy.refuse_waiting(lane, NOW) == [asked]
    assert alone.policy.num_active == 0


def test_requests_that_nobody_waits_for_leave_the_queue_without_work() -> None:
    bench = Bench()
    overdue, left, good = request(deadline=NOW - 1), request(), request()
    left.has_left = True
    bench.submit(overdue, left, good)
    decision = bench.policy.decide(NOW, num_idle=0)
    assert isinstance(decision.work, OpenBatch)
    bench.policy.opened(decision.work.lane)
    decision = bench.policy.decide(NOW, num_idle=0)
    assert [state for _, state in decision.expired] == [overdue, left]
    assert isinstance(decision.work, StepBatch)
    assert list(decision.work.admitted) == [good]
    assert bench.policy.num_active == 1


def test_a_withdrawn_request_is_over_and_a_running_one_cannot_be_withdrawn() -> None:
    bench = Bench(max_slots=1)
    running, waiting = request(), request()
    bench.submit(running)
    bench.step()
    bench.submit(waiting)
    assert bench.policy.withdraw(waiting, NOW) is bench.policy.lanes[0]
    assert bench.policy.withdraw(running, NOW) is None
    assert bench.policy.num_active == 1


def test_the_lanes_of_a_retired_model_go_with_its_last_request() -> None:
    bench, other, last = Bench(), FakeRunner(), request()
    bench.submit(last)
    bench.submit(request(), runner=other)
    bench.policy.retire(bench.runner)
    work = bench.step()
    assert work.lane.runner is bench.runner
    bench.policy.drop_unused()
    assert len(bench.policy.lanes) == 2
    bench.finish(work, [last])
    bench.policy.drop_unused()
    assert [lane.runner for lane in bench.policy.lanes] == [other]


def test_idle_batches_are_listed_longest_unused_first() -> None:
    bench = Bench(num_workers=2, max_slots=8)
    requests = [request() for _ in range(16)]
    bench.submit(*requests)
    works = [bench.step(), bench.step()]
    for work in reversed(works):
        bench.finish(work, list(work.admitted))
    (lane,) = bench.policy.lanes
    assert bench.policy.idle_batches() == [(lane, works[1].batch), (lane, works[0].batch)]


kinds = st.tuples(st.integers(1, 60), st.sampled_from([1, 1, 2, 4]), st.booleans(), st.sampled_from("ab"))
events = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), kinds),
        st.tuples(st.just("work"), st.integers(0, 3)),
        st.tuples(st.just("finish"), st.integers(0, 9)),
        st.tuples(st.just("withdraw"), st.integers(0, 99)),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(events, st.integers(1, 4), st.sampled_from([1, 4, 8]))
def test_every_request_ends_once_whatever_the_order_of_events(
    todo: list[tuple[str, object]], num_workers: int, max_slots: int
) -> None:
    play = Play(num_workers, max_slots)
    for name, argument in todo:
        getattr(play, name)(argument)
    play.run_to_the_end()
    assert play.ended == play.submitted
    assert play.bench.policy.num_active == 0
    assert play.bench.policy.admission.waiting.num_requests == 0


class Play:
    """Workers that take and return works in any order, with the books that the policy must agree with."""

    def __init__(self, num_workers: int, max_slots: int) -> None:
        self.bench = Bench(num_workers, max_slots)
        self.num_workers = num_workers
        self.held: list[Work] = []
        self.rows: dict[object, set[RequestState]] = {}
        self.arrived: dict[object, set[RequestState]] = {}
        self.submitted: set[RequestState] = set()
        self.ended: set[RequestState] = set()

    def submit(self, kind: tuple[int, int, bool, str]) -> None:
        length, beams, bulk, caller = kind
        state = request(length, beams=beams, bulk=bulk, caller=caller)
        self.submitted.add(state)
        self.bench.submit(state)

    def withdraw(self, number: int) -> None:
        waiting = [state for lane in self.bench.policy.lanes for state in lane.queue]
        if waiting:
            state = waiting[number % len(waiting)]
            assert self.bench.policy.withdraw(state, NOW) is not None
            self.end([state])

    def work(self, _: int) -> bool:
        """An idle worker asks for work; whether it gets any."""
        if len(self.held) == self.num_workers:
            return False
        num_idle = self.num_workers - len(self.held) - 1
        has_work = self.bench.policy.has_work(NOW)
        work = self.bench.decide(num_idle=num_idle)
        if work is None:
            assert not has_work
            return False
        if isinstance(work, EncodeAhead):
            assert work.admitted
            assert any(isinstance(other, StepBatch) and other.batch is work.batch for other in self.held)
        else:
            assert all(not isinstance(other, StepBatch) or other.batch is not work.batch for other in self.held)
            rows = self.rows.setdefault(work.batch, set())
            rows |= self.arrived.pop(work.batch, set())
            rows.update(work.admitted)
        self.held.append(work)
        assert work.batch.num_requests <= work.lane.shape.max_requests
        return True

    def finish(self, number: int) -> None:
        """A worker returns a work; of a stepped batch's requests some end."""
        if not self.held:
            return
        work = self.held.pop(number % len(self.held))
        if isinstance(work, EncodeAhead):
            self.bench.policy.arrived(work)
            self.arrived.setdefault(work.batch, set()).update(work.admitted)
            self.bench.policy.finish(work, [], 0, NOW)
            return
        rows = self.rows[work.batch]
        ended = sorted(rows, key=lambda state: len(state.request.source))[: number % 4]
        rows.difference_update(ended)
        self.bench.policy.finish(work, ended, len(rows), NOW)
        self.end(ended)
        expected = (
            len(rows)
            + len(self.arrived.get(work.batch, ()))
            + sum(
                len(other.admitted)
                for other in self.held
                if isinstance(other, EncodeAhead) and other.batch is work.batch
            )
        )
        assert work.batch.num_requests == expected

    def end(self, states: Sequence[RequestState]) -> None:
        assert not self.ended & set(states)
        self.ended.update(states)

    def run_to_the_end(self) -> None:
        for _ in range(10_000):
            if not self.bench.policy.num_active:
                return
            if not self.work(0):
                self.finish(3)
        raise AssertionError("requests are left that no worker gets")
