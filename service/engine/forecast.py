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
        run_s: how long one of them then runs, beside all else that runs.
        alone_s: how long it would run if it had the engine to itself.
    """

    first_wait_s: float
    last_wait_s: float
    run_s: float
    alone_s: float

    @property
    def total_s(self) -> float:
        """Until all of them are done."""
        return self.last_wait_s + self.run_s


def forecast(
    request: EngineRequest, num_source: float, num_requests: int, lane: Lane, lanes: Iterable[Lane], num_workers: int
) -> Forecast | None:
    """Foretells what becomes of so many requests like this one, if they were submitted together now.

    Args:
        num_source: positions of its source, which may not have been read yet.

    Returns:
        None if the lane has not run anything yet, so that nobody knows.
    """
    if not lane.pace.is_known:
        return None
    round_s = lane.turn_s(num_requests)
    encode_s = num_requests * lane.pace.usual_encode_s
    for other in lanes:
        # Each has its turn in every round; what waits is encoded first.
        encode_s += other.num_waiting * other.pace.usual_encode_s
        round_s += max(0, other.num_busy - (other is lane)) * other.turn_s(0)
    round_s = max(round_s / num_workers, lane.turn_s(num_requests))
    num_steps = lane.pace.num_steps(request.generation, num_source)
    num_ahead = lane.queue.num_ahead(request.caller, bulk=request.bulk)
    return Forecast(
        first_wait_s=round_s * _rounds_before(lane, num_ahead, num_workers),
        last_wait_s=round_s * _rounds_before(lane, num_ahead + num_requests - 1, num_workers),
        run_s=encode_s / num_workers + round_s * num_steps,
        alone_s=lane.pace.encode_s(num_source) + num_steps * lane.pace.step_s(lane.shape.num_beams),
    )


def _rounds_before(lane: Lane, num_before: int, num_workers: int) -> float:
    """How many steps the lane's batches make until a request is admitted that so many others precede: until as many
    have ended as there is no room for.
    """
    num_places = num_workers * lane.shape.max_requests
    num_ending = max(0, num_before + 1 - (num_places - lane.num_live))
    return num_ending * lane.pace.usual_steps(otherwise=lane.shape.source) / num_places


def request_s(lane: Lane) -> float:
    """Seconds of a worker for one more request of a lane that has enough of them."""
    num_steps = lane.pace.usual_steps(otherwise=lane.shape.source)
    return lane.pace.usual_encode_s + num_steps * lane.pace.step_s(lane.shape.max_slots) / lane.shape.max_requests
