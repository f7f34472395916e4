"""How many steps a visit to a batch has; the clock is the test's own."""

from collections.abc import Iterator
from itertools import count

import numpy as np

from regard_service.engine.core.request import EngineRequest, RequestState
from regard_service.engine.policy.lane import BatchState, Lane
from regard_service.engine.policy.pace import STEP_OVERHEAD_SLOTS, Pace
from regard_service.engine.policy.step_budget import MAX_VISIT_S, VISIT_OVERHEAD_S, StepBudget
from regard_service.engine.runtime.slots import SlotsShape
from regard_service.generation import Generation
from tests.unit.service.engine.fake_runner import FakeRunner

SHAPE = SlotsShape(max_requests=4, num_beams=1, source=32, capacity=64)


def lane_at(slot_s: float | None, num_slots: int = 4) -> tuple[Lane, BatchState]:
    """A lane whose slots cost this much, and its batch."""
    lane = Lane(FakeRunner(), SHAPE, Pace())
    lane.batches.append(BatchState(SHAPE.max_requests))
    if slot_s is not None:
        lane.pace.stepped(num_slots, 1, slot_s * (num_slots + STEP_OVERHEAD_SLOTS))
    return lane, lane.batches[0]


def budget(lane: Lane, batch: BatchState, *, others_wait: bool = False, step_s: float = 0.0) -> StepBudget:
    """A budget whose clock advances by a step each time it is read."""
    times: Iterator[float] = count(0.0, step_s)
    return StepBudget(lane, batch, lambda: others_wait, lambda: next(times))


def num_steps(found: StepBudget, ended: list[int]) -> int:
    """Steps of a visit, if this many requests have ended by the end of each."""
    return next((number for number, num in enumerate(ended, 1) if not found.has_more(num)), len(ended) + 1)


def test_a_visit_goes_on_until_the_waste_exceeds_the_cost_of_another() -> None:
    third = VISIT_OVERHEAD_S / 2.9
    assert num_steps(budget(*lane_at(third)), [0, 0, 1, 1, 1, 1]) == 5
    assert num_steps(budget(*lane_at(third)), [1, 2, 2]) == 2
    assert num_steps(budget(*lane_at(third)), [0] * 9) == 10
    assert num_steps(budget(*lane_at(2 * VISIT_OVERHEAD_S)), [0, 0, 1]) == 3, "a large model wastes nothing"
    assert num_steps(budget(*lane_at(None)), [0, 0]) == 1, "nothing is known of the first visit"


def test_requests_that_wait_for_a_free_slot_are_waste_too() -> None:
    lane, batch = lane_at(VISIT_OVERHEAD_S / 2.9)
    request = EngineRequest(np.arange(5), Generation(max_new_tokens=9))
    for _ in range(2):
        lane.queue.push(RequestState(request, 0.0), "", bulk=False)
    assert num_steps(budget(lane, batch), [0] * 9) == 2
    batch.num_requests = SHAPE.max_requests
    assert num_steps(budget(lane, batch), [0] * 9) == 10, "there is no slot for them"
    batch.num_arrived = 1
    assert num_steps(budget(lane, batch), [0] * 9) == 3, "one has a slot already"


def test_a_visit_lasts_no_longer_than_its_limit() -> None:
    assert num_steps(budget(*lane_at(1e-9), step_s=MAX_VISIT_S / 10), [0] * 99) == 10


def test_while_another_lane_waits_a_visit_has_one_step() -> None:
    assert num_steps(budget(*lane_at(VISIT_OVERHEAD_S / 100), others_wait=True), [0] * 9) == 1
