"""What may wait: so many requests, so many tokens, and nobody who would wait in vain.

All is decided when requests come: they are refused at once, and told when to come back, or they stay until they are
done.
"""

import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from regard_service.engine.core.request import EngineRequest
from regard_service.engine.core.ticket import Ticket
from regard_service.engine.policy.backlog import Backlog
from regard_service.engine.policy.forecast import alone_s, request_s, wait_s, work_s
from regard_service.engine.policy.lane import Lane
from regard_service.engine.policy.pace import Quantile
from regard_service.engine.runtime.runner import Runner
from regard_service.errors import DeadlineUnreachable, Overloaded

# The last part of the queue is for callers of whom not much waits, so that one who fills it keeps nobody else out.
KEPT = 1 / 8

# One that would be late on an idle engine too is let in where that is not much faster: it may be lucky, and delays few.
HARDLY = 1.25

# Whoever needs little could always fill the last gap before whoever needs more. So this part of the time that a call
# has is kept for its own work: who needs less of it is let in no sooner.
RESERVED = 0.2

# So few of the requests may take longer than was foretold.
MAX_LATE = 0.01
FIRST_SLOWNESS, MAX_SLOWNESS = 2.0, 5.0

UNKNOWN_DELAY_S = 1.0
MIN_DELAY_S, MAX_DELAY_S = 0.1, 30.0


@dataclass(frozen=True)
class QueueLimits:
    """How much may wait, over all models.

    Attributes:
        max_requests: a call of more inputs than this can never be run.
        max_tokens: of sources and of targets, the latter for every beam, as far as they can be foreseen. What comes
            to an empty queue is let in whatever it needs.
        max_wait_s: how long an interactive request may be expected to wait.
    """

    max_requests: int
    max_tokens: float
    max_wait_s: float


@dataclass
class Waiting:
    """What waits, counted. Used under the scheduler's lock."""

    num_requests: int = 0
    num_tokens: int = 0
    _by_caller: Counter[str] = field(default_factory=Counter)
    _tokens: dict[Ticket, int] = field(default_factory=dict)

    def add(self, ticket: Ticket, num_tokens: int) -> None:
        self.num_requests += 1
        self.num_tokens += num_tokens
        self._by_caller[ticket.request.caller] += 1
        self._tokens[ticket] = num_tokens

    def remove(self, ticket: Ticket) -> None:
        caller = ticket.request.caller
        self.num_requests -= 1
        self.num_tokens -= self._tokens.pop(ticket)
        self._by_caller[caller] -= 1
        if not self._by_caller[caller]:
            del self._by_caller[caller]

    def of(self, caller: str) -> int:
        """How many requests of a caller wait."""
        return self._by_caller[caller]


class Admission:
    """Decides who may wait. Used under the scheduler's lock.

    How long a request will take is foretold from the work that is before it, its own included, times the *slowness*:
    of the requests that ended of late, all but very few took less than that many times the work before them. So the
    slowness holds whatever else there is: how unevenly models share the engine, how long some texts become, the event
    loop, others on the machine. It is one number for all models, so that all are refused alike.

    Args:
        lanes: all of the scheduler's, as they change.
    """

    def __init__(self, limits: QueueLimits, lanes: Iterable[Lane], num_workers: int) -> None:
        self._limits = limits
        self._lanes = lanes
        self._num_workers = num_workers
        self._slowness = Quantile(1 - MAX_LATE, FIRST_SLOWNESS, 1.0, MAX_SLOWNESS)
        self._backlog = Backlog()
        self.waiting = Waiting()

    def came(self, ticket: Ticket, lane: Lane) -> None:
        """Notes that a request waits."""
        request = ticket.request
        own_s = work_s(lane, request)
        work_before_s = self._backlog.through(request, own_s) / self._num_workers
        if work_before_s > HARDLY * alone_s(lane, request, lane.runner.source_length(request.source)):
            ticket.work_before_s = work_before_s
        self._backlog.add(ticket, own_s)
        self.waiting.add(ticket, lane.expected_tokens(ticket.request))

    def ended(self, tickets: Iterable[Ticket]) -> None:
        """Notes that requests are over; learns from those that came to a busy engine and ran to their end, or to their
        deadline.
        """
        now = time.monotonic()
        for ticket in tickets:
            self._backlog.remove(ticket)
            if ticket.work_before_s and (ticket.overdue or not ticket.departed):
                self._slowness.add((now - ticket.submitted) / ticket.work_before_s)

    def check_unread(self, request: EngineRequest, num_requests: int, runner: Runner) -> None:
        """Refuses requests before their inputs are read, if they would be whatever is in them; raises as `check`.

        Args:
            request: one of them; its source is not looked at.
        """
        self._check_num(request.caller, num_requests)
        num_beams = request.generation.num_beams
        known = [lane for lane in self._lanes if lane.runner is runner and lane.shape.num_beams == num_beams]
        costs = [(request_s(lane), lane) for lane in known if lane.pace.is_known]
        if costs:
            own_s, lane = min(costs, key=lambda cost: cost[0])
            self._check_wait(request, lane)
            fastest_s = alone_s(lane, request, lane.pace.usual_source)
            self._check_deadline(request, num_requests * own_s, fastest_s, self._slowness.value)

    def check(self, wanted: Sequence[tuple[Lane, EngineRequest]], num_at_once: int, *, was_read: bool = False) -> None:
        """Refuses a call's requests, or returns.

        Args:
            wanted: all of one caller, and of one call: the same priority and deadline.
            num_at_once: how many of them will be in the queue together.
            was_read: `check_unread` let them in. Reading them was work, which a refusal would waste: they are refused
                only if even as a rule they would be late.

        Raises:
            Overloaded: too much waits.
            DeadlineUnreachable: they could not be done in time.
        """
        self._check_room(wanted[:num_at_once])
        first = wanted[0][1]
        lanes = {lane: request for lane, request in wanted if lane.pace.is_known}
        for lane in lanes:
            self._check_wait(first, lane)
        if lanes:
            own_s = sum(work_s(lane, request) for lane, request in wanted)
            sources = ((lane, request, lane.runner.source_length(request.source)) for lane, request in lanes.items())
            num_times = 1.0 if was_read else self._slowness.value
            self._check_deadline(first, own_s, max(alone_s(*source) for source in sources), num_times)

    def _check_room(self, wanted: Sequence[tuple[Lane, EngineRequest]]) -> None:
        self._check_num(wanted[0][1].caller, len(wanted))
        there, limits = self.waiting, self._limits
        num_tokens = sum(lane.expected_tokens(request) for lane, request in wanted)
        if there.num_requests and there.num_tokens + num_tokens > limits.max_tokens:
            raise Overloaded(
                f"the queue is full: requests of some {there.num_tokens} tokens wait and {num_tokens} came, "
                f"the limit is {limits.max_tokens:g}",
                self._drain_s(),
            )

    def _check_num(self, caller: str, num_requests: int) -> None:
        there = self.waiting
        kept = int(self._limits.max_requests * KEPT)
        has_much = there.of(caller) + num_requests > kept
        max_requests = self._limits.max_requests - (kept if has_much else 0)
        if there.num_requests + num_requests > max_requests:
            raise Overloaded(
                f"the queue is full: {there.num_requests} requests wait and {num_requests} came, the limit is "
                f"{max_requests}",
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

    def is_in_vain(self, ticket: Ticket, lane: Lane) -> bool:
        """Whether a request has waited for so long that it would be late even if it had the engine to itself."""
        request = ticket.request
        if request.deadline is None:
            return False
        fastest_s = alone_s(lane, request, lane.runner.source_length(request.source))
        return request.deadline - time.monotonic() < fastest_s < request.deadline - ticket.submitted

    def _check_deadline(self, request: EngineRequest, own_s: float, fastest_s: float, num_times: float) -> None:
        """Refuses what would be late.

        Args:
            own_s: work of the call that it came with.
            fastest_s: how long it would take if it had the engine to itself.
            num_times: how much longer than the work before it a request is taken to take.
        """
        if request.deadline is None:
            return
        left_s = request.deadline - time.monotonic()
        before_s, work_before_s = (self._backlog.through(request, more_s) / self._num_workers for more_s in (0, own_s))
        # On an idle engine a call's own work takes as long as it takes; on a busy one it is as slow as all else.
        own_times = num_times if before_s > own_s else 1.0
        needed_s = num_times * before_s + own_times * (work_before_s - before_s)
        needed_s = max(needed_s, num_times * before_s / (1 - RESERVED))
        if needed_s > left_s and work_before_s > HARDLY * fastest_s:
            raise DeadlineUnreachable(
                f"the call may take {needed_s:.2g} s as it is now; its deadline is in {left_s:.2g} s",
                _delay(needed_s - left_s),
            )

    def _drain_s(self) -> float:
        """When about half of what waits has left the queue."""
        seconds = 0.0
        for lane in self._lanes:
            if lane.num_waiting and not lane.pace.is_known:
                return UNKNOWN_DELAY_S
            seconds += lane.num_waiting * request_s(lane)
        return _delay(seconds / self._num_workers / 2)


def _delay(seconds: float) -> float:
    return min(max(seconds, MIN_DELAY_S), MAX_DELAY_S)
