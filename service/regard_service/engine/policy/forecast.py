"""Estimates from a lane's pace: what a request costs, and how long it would wait."""

from collections.abc import Iterable

from regard_service.engine.core.request import EngineRequest
from regard_service.engine.policy.lane import Lane


def wait_s(request: EngineRequest, lane: Lane, lanes: Iterable[Lane], num_workers: int) -> float:
    """Seconds until a request of this kind would leave the queue, if it were submitted now."""
    num_ahead = lane.queue.num_ahead(request.caller, bulk=request.bulk)
    num_rounds = _rounds_before(lane, num_ahead, num_workers)
    if not num_rounds:
        return 0.0
    # Workers visit every busy batch once a round.
    others_s = sum(max(0, other.num_busy - (other is lane)) * other.visit_s(0) for other in lanes)
    return num_rounds * max((lane.visit_s(1) + others_s) / num_workers, lane.visit_s(1))


def _rounds_before(lane: Lane, num_before: int, num_workers: int) -> float:
    """Steps of the lane's batches until a request is admitted that `num_before` others precede: until as many requests
    have ended as find no room now.
    """
    num_places = num_workers * lane.shape.max_requests
    num_ending = max(0, num_before + 1 - (num_places - lane.num_admitted))
    return num_ending * lane.pace.usual_steps(otherwise=lane.shape.source) / num_places


def alone_s(lane: Lane, request: EngineRequest, num_source: float) -> float:
    """Seconds that a request of `num_source` source positions would take on an idle engine."""
    num_steps = lane.pace.num_steps(request.generation, num_source)
    return lane.pace.encode_s(num_source) + num_steps * lane.pace.step_s(lane.shape.num_beams)


def work_s(lane: Lane, request: EngineRequest) -> float:
    """Seconds of a worker for one more request of a lane whose batches are full."""
    num_source = lane.runner.source_length(request.source)
    return lane.pace.encode_s(num_source) + lane.pace.num_steps(request.generation, num_source) * _step_s(lane)


def request_s(lane: Lane) -> float:
    """Seconds of a worker for a usual request of the lane, in full batches."""
    return lane.pace.usual_encode_s + stepping_s(lane)


def stepping_s(lane: Lane) -> float:
    """The part of `request_s` that steps take."""
    return lane.pace.usual_steps(otherwise=lane.shape.source) * _step_s(lane)


def _step_s(lane: Lane) -> float:
    """A request's part of a step of a full batch."""
    return lane.pace.step_s(lane.shape.max_slots) / lane.shape.max_requests
