"""Who is refused, with what, and when to come back: the policy on a clock that the tests set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.engine.core.request import EngineRequest, RequestState
from regard_service.engine.policy.admission import Waiting
from regard_service.engine.policy.decision import OpenBatch, StepBatch
from regard_service.engine.policy.forecast import alone_s, wait_s, work_s
from regard_service.engine.policy.lane import BatchState, Lane
from regard_service.engine.policy.pace import STEP_OVERHEAD_SLOTS, Average, Pace
from regard_service.engine.policy.policy import BatchingPolicy, EngineConfig
from regard_service.engine.runtime.slots import SlotsShape
from regard_service.errors import DeadlinePassed, DeadlineUnreachable, Overloaded
from regard_service.generation import Generation
from tests.unit.service.engine.fake_runner import FakeRunner

LENGTH, NUM_STEPS, STEP_S = 9, 10, 0.002
NOW = 1000.0


def request(*, beams: int = 1, timeout: float | None = None, bulk: bool = False, caller: str = "") -> EngineRequest:
    deadline = None if timeout is None else NOW + timeout
    generation = Generation(max_new_tokens=60, num_beams=beams)
    return EngineRequest(np.arange(LENGTH) + 5, generation, deadline=deadline, bulk=bulk, caller=caller)


class Held:
    """A policy of one worker and one slot, in which one request runs and others wait; the clock stands still.

    Args:
        beams: the beam widths whose lanes have a pace: steps of 2 ms, 10 a request.
    """

    def __init__(self, *beams: int, **sizes: float) -> None:
        self.runner = FakeRunner()
        config = EngineConfig(num_workers=1, max_slots=1)
        self.policy = BatchingPolicy(
            EngineConfig(
                num_workers=config.num_workers,
                max_slots=config.max_slots,
                max_queue=int(sizes.get("max_queue", config.max_queue)),
                max_queue_tokens=sizes.get("max_queue_tokens", config.max_queue_tokens),
                max_queue_s=sizes.get("max_queue_s", config.max_queue_s),
            )
        )
        for each in beams:
            pace = self.policy.lane(self.runner, request(beams=each)).pace
            pace.stepped(each, 1, STEP_S)
            pace.finished(NUM_STEPS)

    def run_one(self, asked: EngineRequest) -> None:
        """A request that a batch has."""
        self.submit(asked)
        for _ in range(2):  # opens a batch, then steps it
            work = self.policy.decide(NOW, num_idle=0).work
            if isinstance(work, OpenBatch):
                self.policy.opened(work.lane)
        assert isinstance(work, StepBatch)
        assert [state.request for state in work.admitted] == [asked]

    def submit(self, asked: EngineRequest, times: int = 1) -> None:
        for _ in range(times):
            self.policy.submit(RequestState(asked, NOW), self.policy.lane(self.runner, asked))

    def check(
        self, asked: EngineRequest, num_requests: int = 1, num_at_once: int = 1, *, was_read: bool = False
    ) -> None:
        incoming = [(self.policy.lane(self.runner, asked), asked)] * num_requests
        self.policy.admission.check(incoming, num_at_once, NOW, was_read=was_read)

    def check_unread(self, asked: EngineRequest, num_requests: int = 1, runner: FakeRunner | None = None) -> None:
        self.policy.admission.check_unread(asked, num_requests, runner or self.runner, NOW)


def held(num_waiting: int, *, asked: EngineRequest | None = None, **sizes: float) -> Held:
    """One request runs and others like it wait."""
    asked = asked or request()
    made = Held(asked.generation.num_beams, **sizes)
    made.run_one(asked)
    made.submit(asked, num_waiting)
    return made


@pytest.mark.parametrize(("beams", "num_fitting"), [(1, 10), (4, 4)])
def test_beams_count_as_what_they_cost(beams: int, num_fitting: int) -> None:
    asked = request(beams=beams)
    held(num_fitting - 1, asked=asked, max_queue_tokens=200).check(asked)
    with pytest.raises(Overloaded, match="the limit is 200") as refused:
        held(num_fitting, asked=asked, max_queue_tokens=200).check(asked)
    assert refused.value.retry_after_s > 0


def test_an_empty_queue_takes_a_call_of_any_size() -> None:
    held(0, max_queue_tokens=1).check(request())
    with pytest.raises(Overloaded):
        held(1, max_queue_tokens=1).check(request())


def test_a_call_that_would_be_late_is_refused_at_once_with_a_time_to_return() -> None:
    engine = held(20)  # 21 times 10 steps of 2 ms
    with pytest.raises(DeadlineUnreachable, match="its deadline is in") as refused:
        engine.check(request(timeout=0.1))
    assert 0.1 <= refused.value.retry_after_s <= 30
    engine.check(request(timeout=60))


def test_a_call_whose_deadline_has_passed_is_not_asked_to_come_back() -> None:
    with pytest.raises(DeadlinePassed, match="passed before its work was queued"):
        held(20).check(request(timeout=-0.001))


def test_a_call_that_would_be_late_on_an_idle_engine_too_may_try() -> None:
    Held(1).check(request(timeout=STEP_S))


def test_an_unknown_pace_refuses_nobody() -> None:
    engine = Held()
    engine.run_one(request())
    engine.submit(request(), 20)
    engine.check(request(timeout=0.05))


def test_interactive_requests_wait_no_longer_than_the_limit_and_bulk_ones_may() -> None:
    engine = held(50, asked=request(bulk=True), max_queue_s=0.2)
    engine.check(request(bulk=True))
    engine.check(request())  # goes before the bulk requests
    with pytest.raises(Overloaded, match=r"the limit is 0\.2 s"):
        held(20, max_queue_s=0.2).check(request())


def test_one_caller_leaves_room_for_others() -> None:
    engine = held(14, asked=request(caller="busy"), max_queue=16)
    with pytest.raises(Overloaded, match="the limit is 14"):
        engine.check(request(caller="busy"))
    for _ in range(2):
        engine.check(request(caller="other"))
        engine.submit(request(caller="other"))
    with pytest.raises(Overloaded, match="the limit is 14"):
        engine.check(request(caller="other"))
    with pytest.raises(Overloaded, match="the limit is 16"):
        engine.check(request(caller="third"))


def test_the_requests_of_a_call_are_let_in_together_or_not_at_all() -> None:
    engine = held(4, max_queue=32)
    with pytest.raises(Overloaded):
        engine.check(request(), 40, 40)
    engine.check(request(), 4000, 20)  # 20 of them wait at once
    with pytest.raises(DeadlineUnreachable):
        engine.check(request(timeout=2), 4000, 20)
    assert engine.policy.admission.waiting.num_requests == 4


def test_a_call_that_would_be_refused_is_refused_before_its_inputs_are_read() -> None:
    engine = held(20, max_queue=32)
    with pytest.raises(Overloaded, match="the limit is 28"):
        engine.check_unread(request(), 9)
    with pytest.raises(DeadlineUnreachable):
        engine.check_unread(request(timeout=0.1))
    engine.check_unread(request(timeout=60))
    engine.check_unread(request(timeout=0.1, beams=2))  # a lane of unknown pace
    engine.check_unread(request(timeout=0.1), runner=FakeRunner())


def test_a_call_whose_inputs_were_read_is_refused_only_if_it_is_late_without_slowness() -> None:
    engine = held(20)
    work_before_s = engine.policy.admission._backlog.through(request(), 0.0)
    tight = request(timeout=1.5 * work_before_s)  # and the slowness is 2 at first
    with pytest.raises(DeadlineUnreachable):
        engine.check(tight)
    engine.check(tight, was_read=True)
    with pytest.raises(DeadlineUnreachable):
        engine.check(request(timeout=work_before_s / 2), was_read=True)


def test_places_that_a_permit_holds_count_as_requests_but_not_against_their_holder() -> None:
    engine = held(4, max_queue=8)
    engine.policy.admission.waiting.reserve("first", 2)
    with pytest.raises(Overloaded, match="6 requests wait and 2 came, the limit is 7"):
        engine.check(request(caller="second"), 2, 2)
    lane = engine.policy.lane(engine.runner, request())
    incoming = [(lane, request(caller="first"))] * 3
    engine.policy.admission.check(incoming, 3, NOW, num_reserved=2)
    engine.policy.admission.waiting.reserve("first", -2)
    engine.check(request(caller="second"), 2, 2)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 10**6))), st.randoms())
def test_waiting_requests_are_counted(arrivals: list[tuple[str, int]], random: object) -> None:
    counted, there = Waiting(), []
    for caller, num_tokens in arrivals:
        there.append((RequestState(request(caller=caller), NOW), num_tokens))
        counted.add(*there[-1])
    random.shuffle(there)  # type: ignore[attr-defined]
    while there:
        assert counted.num_requests == len(there)
        assert counted.num_tokens == sum(num_tokens for _, num_tokens in there)
        for caller in "abc":
            assert counted.of(caller) == sum(state.request.caller == caller for state, _ in there)
        counted.remove(there.pop()[0])
    assert counted == Waiting()


def lane_at(pace: Pace, num_waiting: int = 0, caller: str = "busy") -> Lane:
    lane = Lane(FakeRunner(), SlotsShape(max_requests=4, num_beams=1, source=32, capacity=64), pace)
    for _ in range(num_waiting):
        lane.queue.push(RequestState(request(caller=caller), NOW), caller, bulk=False)
    return lane


def pace_of(slot_s: float, num_steps: int) -> Pace:
    """A pace at which encoding costs nothing."""
    pace = Pace()
    pace.stepped(1, 1, slot_s * (1 + STEP_OVERHEAD_SLOTS))
    pace.finished(num_steps)
    return pace


def waits(lane: Lane, *others: Lane, num_workers: int = 1, caller: str = "busy") -> float:
    return wait_s(request(caller=caller), lane, [lane, *others], num_workers)


def test_a_wait_is_estimated_from_what_is_before_a_request() -> None:
    # A full step, 4 slots and 2 for its overhead, takes 6 ms; a request 10 of them, and 4 requests share them.
    lane = lane_at(pace_of(slot_s=0.001, num_steps=10), num_waiting=20)
    assert waits(lane) == pytest.approx(0.006 * 10 / 4 * (20 + 1 - 4))
    assert waits(lane, caller="other") == 0  # callers take turns: another's goes second, and there is room
    assert waits(lane, num_workers=2) == pytest.approx(0.0075 * (20 + 1 - 8))  # twice the room


def test_a_wait_counts_what_other_lanes_run_between_the_steps() -> None:
    pace = pace_of(slot_s=0.001, num_steps=10)
    lane, other = lane_at(pace, num_waiting=4), lane_at(pace)
    other.batches = [BatchState(4, num_requests=2)]
    assert waits(lane, other) == pytest.approx(10 / 4 * (0.006 + 0.004))
    other.pace.visited(0.050)  # it encodes pictures before its steps
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


def test_the_expected_steps_are_the_usual_ones_within_the_request_s_limits() -> None:
    pace = Pace()
    assert pace.num_steps(Generation(max_new_tokens=60), 9) == 9
    pace.finished(20)
    assert pace.num_steps(Generation(max_new_tokens=60), 9) == 20
    assert pace.num_steps(Generation(max_new_tokens=5), 9) == 5
    assert pace.num_steps(Generation(max_new_tokens=60, min_new_tokens=50), 9) == 50
