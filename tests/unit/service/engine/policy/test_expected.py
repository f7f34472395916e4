"""Workers wait for a caller who is likely to be back, rather than begin with somebody's many requests."""

import numpy as np
import pytest

from regard_service.engine.core.request import EngineRequest, RequestState
from regard_service.engine.policy.decision import StepBatch
from regard_service.engine.policy.expected import MAX_CALLERS, MAX_EXPECTED_S, Expected
from regard_service.engine.policy.turns import HEAD_START_S, MANY_REQUESTS
from regard_service.generation import Generation
from tests.unit.service.engine.policy.test_policy import NOW, Bench, request


def test_a_caller_is_expected_for_as_long_as_the_last_request_took() -> None:
    expected = Expected()
    assert expected.until(NOW) == NOW
    expected.left("quick", 0.002, NOW)
    assert expected.until(NOW) == NOW + 0.002
    expected.left("slow", 5.0, NOW)
    assert expected.until(NOW) == NOW + MAX_EXPECTED_S
    expected.came("slow")
    assert expected.until(NOW) == NOW + 0.002
    assert expected.until(NOW + 0.002) == NOW + 0.002


def test_of_very_many_callers_some_are_expected() -> None:
    expected = Expected()
    for number in range(3 * MAX_CALLERS):
        expected.left(f"{number}", 0.005, NOW)
    assert len(expected._until) == MAX_CALLERS
    expected.left("later", 0.005, NOW + 1)
    assert len(expected._until) == 1


def served(num_workers: int, num_many: int) -> tuple[Bench, list[StepBatch]]:
    """A policy whose honest caller's only request has just ended, beside a caller of some over several beam widths.

    Returns the works of other workers too: all but one.
    """
    bench = Bench(num_workers=num_workers, max_slots=16)
    honest = request(caller="honest")
    bench.submit(honest)
    for number in range(num_many):
        bench.submit(request(caller="many", beams=2 + number % 8))
    own = bench.decide()
    assert isinstance(own, StepBatch)
    assert own.batch.callers.keys() == {"honest"}
    others = [bench.step() for _ in range(num_workers - 1)]
    bench.policy.finish(own, [honest], 0, NOW + 0.004)
    return bench, others


@pytest.mark.parametrize("num_workers", [2, 4])
def test_a_worker_waits_for_a_caller_who_has_just_left(num_workers: int) -> None:
    bench, others = served(num_workers, 2 * MANY_REQUESTS)
    now = NOW + 0.005
    assert bench.decide(now) is None
    assert not bench.policy.has_work(now)
    assert bench.policy.keeps_worker_s(now) == pytest.approx(0.003)
    bench.submit(request(caller="honest"))
    work = bench.decide(now)
    assert isinstance(work, StepBatch)
    assert work.batch.callers.keys() == {"honest"}
    bench.policy.finish(others[0], [], 1, now)
    assert bench.decide(now) is not None, "he is there; the others go on with all other workers"


def test_it_waits_no_longer_than_the_caller_stayed() -> None:
    bench, _ = served(2, 2 * MANY_REQUESTS)
    assert bench.policy.has_work(NOW + 0.009)
    assert bench.decide(NOW + 0.009) is not None


def test_the_other_workers_go_on_meanwhile() -> None:
    bench, others = served(4, 2 * MANY_REQUESTS)
    bench.policy.finish(others[0], [], 1, NOW + 0.005)
    assert bench.decide(NOW + 0.005) is not None
    assert bench.decide(NOW + 0.005) is None


def test_nobody_waits_with_one_worker_or_beside_few_requests() -> None:
    bench, _ = served(1, 2 * MANY_REQUESTS)
    assert bench.decide(NOW + 0.005) is not None
    bench, _ = served(2, MANY_REQUESTS // 2)
    assert bench.decide(NOW + 0.005) is not None


def test_a_visit_of_who_is_ahead_goes_on_though_others_wait() -> None:
    """Each return of a batch costs half as much as a step of a lone row, and he would get the next turn anyway."""
    bench = Bench(num_workers=1, max_slots=16)
    bench.submit(*(request(caller="many", beams=2 + number % 8) for number in range(2 * MANY_REQUESTS)))
    bench.finish(bench.step())
    bench.policy._turns.charge({"many": 1}, 1.0)
    bench.submit(RequestState(EngineRequest(np.arange(9), Generation(max_new_tokens=60), caller="honest"), NOW))
    work = bench.step()
    assert work.batch.callers.keys() == {"honest"}
    assert bench.policy.has_work_beside(work.lane)
    assert not bench.policy.others_are_next(work, NOW + HEAD_START_S / 2)
    assert bench.policy.others_are_next(work, NOW + 2 * HEAD_START_S), "he has used as much as they"


def test_lanes_of_one_caller_take_one_step_each_whoever_else_waits() -> None:
    bench = Bench(num_workers=1, max_slots=16)
    bench.submit(*(request(caller="many", beams=2 + number % 8) for number in range(2 * MANY_REQUESTS)))
    bench.finish(bench.step())
    bench.policy._turns.charge({"many": 1}, 1.0)
    bench.submit(request(caller="honest"), request(40, caller="honest"))
    work = bench.step()
    assert work.batch.callers.keys() == {"honest"}
    assert bench.policy.others_are_next(work, NOW)
