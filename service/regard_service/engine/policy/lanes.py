"""Which lane a request gets: by its model and shape, and by who else is there.

Requests of a lane share batches, and a step takes as long as its batch is full. So a caller of many requests gets a
lane of his own beside callers of few: theirs stays short, and the workers' turns go by callers. Where nobody else is
there, a lane holds as many of one caller's requests as its batches have rows.
"""

import weakref
from bisect import bisect_left
from collections import deque
from collections.abc import Set
from typing import NamedTuple

from regard_service.bundle import ImageSource
from regard_service.engine.core.decode import MAX_ENCODED_POSITIONS
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.policy.lane import Lane
from regard_service.engine.policy.pace import Pace
from regard_service.engine.runtime.runner import Runner
from regard_service.engine.runtime.slots import SlotsShape

SOURCE_BUCKETS = (32, 64, 128, 256, 512, 1024, 2048, 4096)

# Of a batch's rows, a caller of more is one of many requests. A smaller part would make the batches of usual callers
# thin: pages of 16 sentences, under three times the load that there is time for, had a tenth of a chance.
FEW_FRACTION = 1 / 2

# Lanes of one shape: three for callers of many requests, who share them if they are more, and one for all others.
MAX_OF_SHAPE = 4

# Source positions of a batch whose requests take one step, about: its first request is answered with its last.
MAX_POSITIONS_OF_ONE_STEP = 2 * MAX_ENCODED_POSITIONS

# Lanes without requests are dropped beyond this many of all: workers look at each when they ask for work.
MAX_LANES = 64


def bucket_of(length: int) -> int:
    """Source positions of the batches for texts of this length."""
    index = bisect_left(SOURCE_BUCKETS, length)
    return SOURCE_BUCKETS[index] if index < len(SOURCE_BUCKETS) else length


class _Kind(NamedTuple):
    """What the requests of a batch have in common."""

    runner: Runner
    num_beams: int
    source: int
    is_listed: bool
    is_alone: bool


class Lanes:
    """The lanes of a policy.

    Args:
        max_slots: of a batch.
        many: callers who have many requests over all lanes, so that they have many in each.

    Attributes:
        all: in the order of the workers' next visits.
    """

    def __init__(self, max_slots: int, many: Set[str] = frozenset()) -> None:
        self._max_slots = max_slots
        self._many = many
        self.all: deque[Lane] = deque()
        self._of: dict[_Kind, list[Lane]] = {}
        self._retired: weakref.WeakSet[Runner] = weakref.WeakSet()

    def lane(self, runner: Runner, request: EngineRequest, *, is_alone: bool = False) -> Lane:
        """The lane of a request, a new one if there is none. Args: is_alone: one whose batches hold one request."""
        length = runner.source_length(request.source)
        source = length if isinstance(runner.manifest.source, ImageSource) else bucket_of(length)
        kind = _Kind(runner, request.generation.num_beams, source, request.is_listed, is_alone)
        lanes = self._of.setdefault(kind, [])
        if len(lanes) == 1 and lanes[0].callers.keys() <= {request.caller}:
            return lanes[0]  # nearly always
        few = max(1.0, self._max_slots // kind.num_beams * FEW_FRACTION)
        has_many = request.caller in self._many or _has_many_in(lanes, request.caller, few)
        lane = (self._of_many if has_many else self._of_few)(lanes, request.caller, few) or self._open(kind, lanes)
        lane.is_for_many |= has_many and lane.callers.keys() <= {request.caller}
        return lane

    def retire(self, runner: Runner) -> None:
        """Drops a model's lanes, now or when their last request ends; it gets no more requests."""
        self._retired.add(runner)
        self.drop_unused()

    def drop_unused(self) -> None:
        """Drops the lanes without requests: those of retired models, and the longest unused beyond the limit."""
        if self._retired:
            for lane in [each for each in self.all if each.runner in self._retired and not each.is_in_use]:
                self._drop(lane)
        if len(self.all) > MAX_LANES:
            unused = [lane for lane in self.all if not lane.is_in_use]
            for lane in unused[: len(self.all) - MAX_LANES]:
                self._drop(lane)

    def _open(self, kind: _Kind, lanes: list[Lane]) -> Lane:
        manifest = kind.runner.manifest
        max_requests = max(1, self._max_slots // kind.num_beams)
        if not manifest.has_decoder:  # a row costs its whole encoding
            max_requests = max(1, min(max_requests, MAX_POSITIONS_OF_ONE_STEP // kind.source))
        shape = SlotsShape(
            max_requests=1 if kind.is_alone else max_requests,
            num_beams=kind.num_beams,
            source=kind.source,
            capacity=manifest.max_target_tokens,
            is_listed=kind.is_listed,
        )
        lane = Lane(kind.runner, shape, lanes[0].pace if lanes else self._first_pace(kind.runner))
        lanes.append(lane)
        self.all.append(lane)
        return lane

    def _first_pace(self, runner: Runner) -> Pace:
        return Pace(next((other.pace for other in self.all if other.runner is runner and other.pace.is_known), None))

    def _of_few(self, lanes: list[Lane], caller: str, few: float) -> Lane | None:
        """Of some lanes of one shape, that of a caller who has few requests; None for a new one."""
        shared = [lane for lane in lanes if not _is_for_many(lane, few)]
        apart = [lane for lane in shared if self._many.isdisjoint(lane.callers)]
        if not apart and len(lanes) < MAX_OF_SHAPE:
            return None
        return max(apart or shared, key=lambda lane: (lane.callers[caller], lane.callers.total()), default=None)

    @staticmethod
    def _of_many(lanes: list[Lane], caller: str, few: float) -> Lane | None:
        """Of some lanes of one shape, that of a caller who has many requests; None for a new one."""
        for_many = [lane for lane in lanes if _is_for_many(lane, few)]
        has_room = len(for_many) < MAX_OF_SHAPE - 1
        own = [lane for lane in lanes if lane.callers.keys() <= {caller} and (lane.is_for_many or has_room)]
        if own:
            return max(own, key=lambda lane: lane.callers.total())
        if has_room and len(lanes) < MAX_OF_SHAPE:
            return None
        return min(for_many or lanes, key=lambda lane: lane.callers.total())

    def _drop(self, lane: Lane) -> None:
        self.all.remove(lane)
        for kind, lanes in self._of.items():
            if lane in lanes:
                lanes.remove(lane)
                if not lanes:
                    del self._of[kind]
                return


def _has_many_in(lanes: list[Lane], caller: str, few: float) -> bool:
    """Whether a caller has many requests, with the next one."""
    return sum(lane.callers[caller] for lane in lanes) + 1 > few


def _is_for_many(lane: Lane, few: float) -> bool:
    """Whether callers of few requests stay out of a lane: it is not empty, and somebody has, or had, many there."""
    lane.is_for_many = bool(lane.callers) and (lane.is_for_many or max(lane.callers.values()) > few)
    return lane.is_for_many
