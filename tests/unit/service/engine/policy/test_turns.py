"""Turns of callers over all lanes."""

import math
import statistics
from collections.abc import Sequence

import pytest

from regard_service.engine.policy.decision import StepBatch
from regard_service.engine.policy.turns import HEAD_START_S, MANY_REQUESTS, QUANTUM_S, Turns
from tests.unit.service.engine.policy.simulation import Call, Kind, Simulation
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


def test_of_callers_who_have_used_as_little_those_of_few_requests_are_next() -> None:
    turns = Turns()
    for _ in range(2 * MANY_REQUESTS):
        turns.enter("many")
    for _ in range(MANY_REQUESTS - 1):
        turns.enter("few")
    assert turns.next_of(["few"]) < turns.next_of(["many"])
    assert turns.next_of(["few", "many"]) == turns.next_of(["few"])


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
    assert turns.next_of(["busy"]) == (100.0 // QUANTUM_S, 0)
    assert turns.next_of([]) == (math.inf, math.inf)


def test_who_had_the_workers_for_himself_owes_nothing_to_who_comes_later() -> None:
    """The newcomer starts between two calls of the first. He would be next for as long as the first had been there."""
    turns = Turns()
    turns.enter("first")
    turns.charge({"first": 1}, 3600.0)
    turns.leave("first")
    turns.enter("newcomer")
    turns.enter("first")
    turns.charge({"newcomer": 1}, HEAD_START_S + QUANTUM_S)
    assert turns.next_of(["first"]) < turns.next_of(["newcomer"])


def test_who_is_back_starts_a_little_ahead_of_who_never_leaves() -> None:
    """Both are charged alike from then on, and he ends his call first."""
    turns = Turns()
    turns.enter("busy")
    turns.charge({"busy": 1}, 100.0)
    turns.enter("back")
    assert turns.is_ahead({"back"}, HEAD_START_S / 4)
    assert not turns.is_ahead({"back"}, HEAD_START_S + QUANTUM_S)
    turns.charge({"back": 1}, HEAD_START_S)
    turns.leave("back")
    turns.enter("back")
    assert not turns.is_ahead({"back"}, 0.0), "leaving gives no second start"


def test_a_shared_batch_is_charged_by_requests() -> None:
    turns = Turns()
    for caller in ("one", "three", "three", "three"):
        turns.enter(caller)
    turns.charge({"one": 1, "three": 3}, 4.0)
    assert (turns.next_of(["one"]), turns.next_of(["three"])) == ((1.0 // QUANTUM_S, 0), (3.0 // QUANTUM_S, 0))


SENTENCE = Kind(1, slot_s=0.0003, encode_s=0.0015, mean_steps=10)
ALONE_S = SENTENCE.encode_s + SENTENCE.mean_steps * 3 * SENTENCE.slot_s
GREEDY = {
    "of the same kind": [],
    "of another model": [SENTENCE],
    "of pages": [Kind(1, slot_s=0.0003, encode_s=0.0015, mean_steps=10, num_inputs=64)],
    "over all beams": [
        Kind(1, slot_s=0.0003, encode_s=0.0015, mean_steps=20, num_beams=beams) for beams in range(1, 17)
    ],
    "over all models": [Kind(1, slot_s=0.0001 * each, encode_s=0.003, mean_steps=30) for each in range(1, 9)],
}


def times(calls: Sequence[Call], caller: str) -> list[float]:
    assert all(call.took_s is not None for call in calls)
    return sorted(call.took_s for call in calls if call.took_s is not None and call.caller == caller)


@pytest.mark.parametrize("kinds", GREEDY.values(), ids=GREEDY.keys())
def test_an_honest_caller_is_about_as_fast_beside_a_greedy_one(kinds: list[Kind]) -> None:
    """One worker. The greedy caller always has 128 calls; half of the time is his, and a step of his is ten of a lone
    request. The honest caller would wait 20 to 200 times as long as alone.
    """
    simulation = Simulation([SENTENCE, *kinds], is_open=True)
    begin = simulation.now
    greedy = [(begin, 1 + number % len(kinds) if kinds else 0, "greedy", 1e6) for number in range(128)]
    honest = [(begin + 0.1 * number, 0, "honest", 1e6) for number in range(1, 20)]
    calls = simulation.run(iter(sorted(greedy + honest)))
    took = times(calls, "honest")
    assert statistics.median(took) <= 3 * ALONE_S
    assert took[-1] <= 6 * ALONE_S
