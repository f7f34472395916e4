"""Turns of callers over all lanes."""

import math

import pytest

from regard_service.engine.policy.decision import StepBatch
from regard_service.engine.policy.turns import QUANTUM_S, Turns
from tests.unit.service.engine.policy.test_policy import NOW, Bench, request

VISIT_S = 0.05


def shares(weights: dict[str, float], num_lanes: dict[str, int], num_visits: int) -> dict[str, int]:
    """Lets one worker visit lanes again and again; returns each caller's visits. Each caller has its own lanes."""
    bench, visits = Bench(max_slots=16), dict.fromkeys(weights, 0)
    for position, (caller, number) in enumerate(num_lanes.items()):
        for beams in range(1, number + 1):
            asked = request(20 * 2**position, beams=beams, caller=caller)
            object.__setattr__(asked.request, "weight", weights[caller])
            bench.submit(asked)
    now = NOW
    for _ in range(num_visits):
        work = bench.decide(now)
        assert isinstance(work, StepBatch)
        (caller,) = work.batch.callers
        visits[caller] += 1
        now += VISIT_S
        bench.policy.finish(work, (), work.batch.num_requests, now)
    return visits


def test_a_caller_gains_nothing_by_requests_in_many_lanes() -> None:
    """16 beam widths are 16 lanes: they would get 16 of 17 visits."""
    visits = shares({"honest": 1, "greedy": 1}, {"greedy": 16, "honest": 1}, 100)
    assert visits["honest"] == pytest.approx(50, abs=4)


def test_turns_are_weighted() -> None:
    visits = shares({"heavy": 3, "light": 1}, {"heavy": 2, "light": 2}, 100)
    assert visits["heavy"] == pytest.approx(75, abs=5)


def test_who_comes_is_next_but_saves_no_turns() -> None:
    turns = Turns()
    turns.enter("busy")
    turns.charge({"busy": 1}, 100.0)
    turns.enter("new")
    assert turns.next_of(["new"]) <= turns.next_of(["busy"])
    turns.charge({"new": 1}, 1.0)
    assert turns.next_of(["busy"]) < turns.next_of(["new"])


def test_leaving_and_coming_back_forgives_nothing() -> None:
    turns = Turns()
    turns.enter("other")
    turns.enter("busy")
    turns.charge({"busy": 1}, 100.0)
    turns.leave("busy")
    turns.enter("busy")
    assert turns.next_of(["busy"]) == 100.0 // QUANTUM_S
    assert turns.next_of([]) == math.inf


def test_a_shared_batch_is_charged_by_requests() -> None:
    turns = Turns()
    for caller in ("one", "three", "three", "three"):
        turns.enter(caller)
    turns.charge({"one": 1, "three": 3}, 4.0)
    assert (turns.next_of(["one"]), turns.next_of(["three"])) == (1.0 // QUANTUM_S, 3.0 // QUANTUM_S)
