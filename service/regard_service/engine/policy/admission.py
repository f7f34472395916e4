"""Who may wait: bounds on requests and tokens in the queue, and no request that would wait in vain.

The decision falls when requests come: they are refused at once, with a time after which to come back, or they stay
until they end. Nothing here reads a clock.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from regard_service.engine.core.request import EngineRequest, RequestState
from regard_service.engine.policy.backlog import Backlog
from regard_service.engine.policy.forecast import alone_s, request_s, wait_s, work_s
from regard_service.engine.policy.lane import Lane
from regard_service.engine.policy.pace import Quantile
from regard_service.engine.runtime.runner import Runner
from regard_service.errors import DeadlinePassed, DeadlineUnreachable, Overloaded

# This part of the queue is open only to callers who have little in it, so that one caller cannot keep all others out.
SHARED_QUEUE_FRACTION = 1 / 8

# A request that would be late on an idle engine too is let in where the engine is nearly idle: waiting adds less than
# this factor, so it delays few others, and the estimate may be wrong.
NEARLY_IDLE_FACTOR = 1.25

# A caller of small requests could always fill the last gap before a caller of large ones. So this fraction of the time
# until a call's deadline is reserved for its own work: calls with less work are let in no sooner.
OWN_WORK_FRACTION = 0.2

# At most this fraction of the requests may take longer than the estimate.
MAX_LATE_FRACTION = 0.01
FIRST_SLOWNESS, MAX_SLOWNESS = 2.0, 5.0

UNKNOWN_DELAY_S = 1.0
MIN_DELAY_S, MAX_DELAY_S = 0.1, 30.0


@dataclass(frozen=True)
class QueueLimits:
    """How much may wait, over all models.

    Attributes:
        max_requests: a call of more inputs than this can never run.
        max_tokens: estimated tokens of sources and of targets, the latter for every beam. An empty queue takes
            any call.
        max_wait_s: the longest expected wait of an interactive request.
    """

    max_requests: int
    max_tokens: float
    max_wait_s: float


@dataclass
class Waiting:
    """Requests that wait, and places that permits hold for requests to come, counted."""

    num_requests: int = 0
    num_tokens: int = 0
    _by_caller: Counter[str] = field(default_factory=Counter)
    _tokens: dict[RequestState, int] = field(default_factory=dict)

    def add(self, request: RequestState, num_tokens: int) -> None:
        """Counts a request that enters the queue."""
        self.reserve(request.request.caller, 1)
        self.num_tokens += num_tokens
        self._tokens[request] = num_tokens

    def remove(self, request: RequestState) -> None:
        """Counts a request that leaves the queue."""
        self.reserve(request.request.caller, -1)
        self.num_tokens -= self._tokens.pop(request)

    def reserve(self, caller: str, num_places: int) -> None:
        """Counts places for a caller's requests; gives them back where the number is negative."""
        self.num_requests += num_places
        self._by_caller[caller] += num_places
        if not self._by_caller[caller]:
            del self._by_caller[caller]

    def of(self, caller: str) -> int:
        """How many requests and places a caller has."""
        return self._by_caller[caller]


class Admission:
    """Decides who may wait.

    A request's time is estimated as the work before it, its own included, times the *slowness*: 99 % of the requests
    that ended recently took less than that many times the work before them. So the slowness covers whatever else slows
    requests down: models that share the engine unevenly, long outputs, the event loop, other processes. It is one
    number for all models, so that all are refused alike.

    Args:
        lanes: all of the policy's, as they change.

    Attributes:
        waiting: what is in the queue.
    """

    def __init__(self, limits: QueueLimits, lanes: Iterable[Lane], num_workers: int) -> None:
        self._limits = limits
        self._lanes = lanes
        self._num_workers = num_workers
        self._slowness = Quantile(1 - MAX_LATE_FRACTION, FIRST_SLOWNESS, 1.0, MAX_SLOWNESS)
        self._backlog = Backlog()
        self.waiting = Waiting()

    def add(self, request: RequestState, lane: Lane) -> None:
        """A request waits from now on."""
        asked = request.request
        own_s = work_s(lane, asked)
        work_before_s = self._backlog.through(asked, own_s) / self._num_workers
        if work_before_s > NEARLY_IDLE_FACTOR * alone_s(lane, asked, lane.runner.source_length(asked.source)):
            request.work_before_s = work_before_s
        self._backlog.add(request, own_s)
        self.waiting.add(request, lane.expected_tokens(asked))

    def ended(self, requests: Iterable[RequestState], now: float) -> None:
        """Removes requests that ended; learns from each that met a busy engine and ran to its end or its deadline."""
        for request in requests:
            self._backlog.remove(request)
            if request.work_before_s and (request.is_overdue(now) or not request.has_left):
                self._slowness.add((now - request.submitted) / request.work_before_s)

    def check_unread(self, request: EngineRequest, num_requests: int, runner: Runner, now: float) -> None:
        """Refuses requests before their inputs are read, if they would be refused whatever the inputs are.

        Args:
            request: one of them; its source is not read.

        Raises:
            Overloaded, DeadlineUnreachable, DeadlinePassed: as `check`.
        """
        self._check_num(request.caller, num_requests)
        num_beams = request.generation.num_beams
        known = [lane for lane in self._lanes if lane.runner is runner and lane.shape.num_beams == num_beams]
        costs = [(request_s(lane), lane) for lane in known if lane.pace.is_known]
        if costs:
            own_s, lane = min(costs, key=lambda cost: cost[0])
            self._check_wait(request, lane)
            fastest_s = alone_s(lane, request, lane.pace.usual_source)
            self._check_deadline(request, num_requests * own_s, fastest_s, self._slowness.value, now)

    def check(
        self,
        incoming: Sequence[tuple[Lane, EngineRequest]],
        num_at_once: int,
        now: float,
        *,
        num_reserved: int = 0,
        was_read: bool = False,
    ) -> None:
        """Refuses a call's requests, or returns.

        Args:
            incoming: all of one caller, and of one call: the same priority and deadline.
            num_at_once: how many of them will wait together.
            num_reserved: places that the call holds already.
            was_read: whether `check_unread` let them in. Reading their inputs was work, which a refusal would waste:
                they are refused only if they would be late without any slowness.

        Raises:
            Overloaded: too much waits.
            DeadlineUnreachable: they would end after their deadline.
            DeadlinePassed: it has passed.
        """
        self._check_room(incoming[:num_at_once], num_reserved)
        first = incoming[0][1]
        lanes = {lane: request for lane, request in incoming if lane.pace.is_known}
        for lane in lanes:
            self._check_wait(first, lane)
        if lanes:
            own_s = sum(work_s(lane, request) for lane, request in incoming)
            sources = ((lane, request, lane.runner.source_length(request.source)) for lane, request in lanes.items())
            slowness = 1.0 if was_read else self._slowness.value
            self._check_deadline(first, own_s, max(alone_s(*source) for source in sources), slowness, now)

    def num_places(self, incoming: Sequence[tuple[Lane, EngineRequest]], num_requests: int, num_reserved: int) -> int:
        """Returns how many of a call's requests may wait together: those for which there is room.

        A call has more requests than inputs if its texts have several segments. It is not refused because the queue has
        no room for all of them at once: they enter it one after the other.

        Args:
            num_requests: the most that may wait together.
            num_reserved: places that the call holds already, one for each input; never fewer are returned.
        """
        least = min(num_requests, num_reserved)
        if least == num_requests:  # as in most calls: each text is one sentence
            return least
        caller = incoming[0][1].caller
        num_places = max(least, min(num_requests, self._num_free(caller, num_reserved)))
        left = self._limits.max_tokens - self.waiting.num_tokens
        for number, (lane, request) in enumerate(incoming[:num_places]):
            left -= lane.expected_tokens(request)
            if left < 0:
                return max(least, number)
        return num_places

    def _num_free(self, caller: str, num_reserved: int) -> int:
        """Returns how many places a caller may take, those that it holds included."""
        free = self._limits.max_requests - (self.waiting.num_requests - num_reserved)
        num_shared = int(self._limits.max_requests * SHARED_QUEUE_FRACTION)
        few = num_shared - (self.waiting.of(caller) - num_reserved)  # a caller of so few may use the shared part too
        return max(free - num_shared, min(free, few))

    def is_in_vain(self, request: RequestState, lane: Lane, now: float) -> bool:
        """Whether a request has waited for so long that it would be late even on an idle engine."""
        asked = request.request
        if asked.deadline is None:
            return False
        fastest_s = alone_s(lane, asked, lane.runner.source_length(asked.source))
        return asked.deadline - now < fastest_s < asked.deadline - request.submitted

    def _check_room(self, incoming: Sequence[tuple[Lane, EngineRequest]], num_reserved: int) -> None:
        self._check_num(incoming[0][1].caller, len(incoming), num_reserved)
        waiting, limits = self.waiting, self._limits
        if not waiting.num_tokens or limits.max_tokens == math.inf:
            return
        num_tokens = sum(lane.expected_tokens(request) for lane, request in incoming)
        if waiting.num_tokens + num_tokens > limits.max_tokens:
            raise Overloaded(
                f"the queue is full: requests of some {waiting.num_tokens} tokens wait and {num_tokens} came, "
                f"the limit is {limits.max_tokens:g}",
                self._drain_s(),
            )

    def _check_num(self, caller: str, num_requests: int, num_reserved: int = 0) -> None:
        num_waiting = self.waiting.num_requests - num_reserved
        num_shared = int(self._limits.max_requests * SHARED_QUEUE_FRACTION)
        has_many = self.waiting.of(caller) - num_reserved + num_requests > num_shared
        max_requests = self._limits.max_requests - (num_shared if has_many else 0)
        if num_waiting + num_requests > max_requests:
            raise Overloaded(
                f"the queue is full: {num_waiting} requests wait and {num_requests} came, the limit is {max_requests}",
                self._drain_s(),
            )

    def _check_wait(self, request: EngineRequest, lane: Lane) -> None:
        max_wait_s = self._limits.max_wait_s
        if request.bulk or max_wait_s == math.inf:
            return
        expected_s = wait_s(request, lane, self._lanes, self._num_workers)
        if expected_s > max_wait_s:
            raise Overloaded(
                f"the request would wait for some {expected_s:.2g} s; the limit is {max_wait_s:g} s",
                _delay(expected_s - max_wait_s),
            )

    def _check_deadline(
        self, request: EngineRequest, own_s: float, fastest_s: float, slowness: float, now: float
    ) -> None:
        """Refuses a request that would be late.

        Args:
            own_s: work of its call.
            fastest_s: how long it would take on an idle engine.
            slowness: how many times the work before a request its time is estimated to be.
        """
        if request.deadline is None:
            return
        left_s = request.deadline - now
        before_s = self._backlog.through(request, 0) / self._num_workers
        work_before_s = self._backlog.through(request, own_s) / self._num_workers
        # On an idle engine a call's own work takes its plain time; on a busy one it is slowed down like all else.
        own_slowness = slowness if before_s > own_s else 1.0
        needed_s = slowness * before_s + own_slowness * (work_before_s - before_s)
        needed_s = max(needed_s, slowness * before_s / (1 - OWN_WORK_FRACTION))
        if needed_s > left_s and work_before_s > NEARLY_IDLE_FACTOR * fastest_s:
            if left_s <= 0:  # between two steps of a call, such as the runs of an explanation
                raise DeadlinePassed("the call's deadline passed before its work was queued")
            raise DeadlineUnreachable(
                f"the call may take {needed_s:.2g} s as it is now; its deadline is in {left_s:.2g} s",
                _delay(needed_s - left_s),
            )

    def _drain_s(self) -> float:
        """When about half of the queue will have left it."""
        seconds = 0.0
        for lane in self._lanes:
            if lane.num_waiting and not lane.pace.is_known:
                return UNKNOWN_DELAY_S
            seconds += lane.num_waiting * request_s(lane)
        return _delay(seconds / self._num_workers / 2)


def _delay(seconds: float) -> float:
    return min(max(seconds, MIN_DELAY_S), MAX_DELAY_S)
