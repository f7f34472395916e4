"""When a request that came now would be done: by what waits, what runs, and how fast it went until now.

An estimate, from running averages. It need not be exact: requests are refused by it before they wait in vain, and those
that it let in wrongly still end at their deadline.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from service.engine.lane import Lane
from service.engine.request import EngineRequest


@dataclass(frozen=True)
class Forecast:
    """Seconds from now.

    Attributes:
        first_wait_s: until the first of the new requests leaves the queue.
        last_wait_s: until the last of them does.
        run_s: how long one of them then runs.
    """

    first_wait_s: float
    last_wait_s: float
    run_s: float

    @property
    def total_s(self) -> float:
        """Until all of them are done."""
        return self.last_wait_s + self.run_s


def forecast(
    request: EngineRequest, num_requests: int, lane: Lane, lanes: Iterable[Lane], num_workers: int
) -> Forecast | None:
    """Foretells what becomes of so many requests like this one, if they were submitted together now.

    Returns:
        None if the lane has not run anything yet, so that nobody knows.
    """
    if not lane.pace.is_known:
        return None
    others = [other for other in lanes if other is not lane]
    left_s = [_left_s(other) for other in others]

    def wait_s(num_before: int) -> float:
        # Workers go from lane to lane, a step each, so that a lane's work takes as long as its own and as much of each
        # other's.
        own_s = _seconds_before(lane, num_before, num_workers)
        return (own_s + sum(min(each, own_s) for each in left_s)) / num_workers

    num_ahead = lane.queue.num_ahead(request.caller, bulk=request.bulk)
    run_s = _run_s(request, num_requests, lane, num_workers)
    num_busy = 1 + sum(other.num_busy for other in others)
    return Forecast(wait_s(num_ahead), wait_s(num_ahead + num_requests - 1), run_s * max(1.0, num_busy / num_workers))


def _seconds_before(lane: Lane, num_before: int, num_workers: int) -> float:
    """Seconds of workers until a request is admitted that so many others precede: those are encoded, and as many
    requests as there is no room for have ended.
    """
    room = num_workers * lane.shape.max_requests - lane.num_live
    num_ending = max(0, num_before + 1 - room)
    return num_before * lane.pace.usual_encode_s + num_ending * _decode_s(lane)


def request_s(lane: Lane) -> float:
    """Seconds of a worker for one more request of a lane that has enough of them."""
    return lane.pace.usual_encode_s + _decode_s(lane)


def _decode_s(lane: Lane) -> float:
    """Seconds of a worker for a request's steps, in a full batch."""
    num_steps = lane.pace.usual_steps(otherwise=lane.shape.source)
    return num_steps * lane.pace.step_s(lane.shape.max_slots) / lane.shape.max_requests


def _left_s(lane: Lane) -> float:
    """Seconds of workers for all that a lane has: what runs is half done."""
    return lane.num_waiting * request_s(lane) + lane.num_live * _decode_s(lane) / 2


def _run_s(request: EngineRequest, num_requests: int, lane: Lane, num_workers: int) -> float:
    """Seconds from admission to the end, beside as many others as there will be in the batch."""
    num_source = lane.runner.source_length(request.source)
    num_steps = lane.pace.num_steps(request.generation, num_source)
    sharing = min(lane.shape.max_requests, -(-(lane.num_live + lane.num_waiting + num_requests) // num_workers))
    # Meanwhile, about as many others are encoded between the steps as share the batch.
    return num_steps * lane.pace.step_s(sharing * lane.shape.num_beams) + sharing * lane.pace.usual_encode_s
