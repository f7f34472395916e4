"""What may wait: so many requests, so many tokens, and nobody who would wait in vain.

All is decided when requests come: they are refused at once, and told when to come back, or they stay until they are
done.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from service.engine.forecast import Forecast, forecast, request_s
from service.engine.lane import Lane
from service.engine.pace import Average
from service.engine.request import EngineRequest
from service.engine.runner import Runner
from service.engine.ticket import Ticket
from service.errors import DeadlineUnreachable, Overloaded

# The last part of the queue is for callers of whom not much waits, so that one who fills it keeps nobody else out.
KEPT = 1 / 8

# What is foretold may be wrong by as much, so that a request is let in only if it has so much more time. One that would
# be late on an idle engine too is let in where that is not much faster: it may be lucky, and delays few.
MARGIN = 2.0
HARDLY = 1.25

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

    Args:
        lanes: all of the scheduler's, as they change.
    """

    def __init__(self, limits: QueueLimits, lanes: Iterable[Lane], num_workers: int) -> None:
        self._limits = limits
        self._lanes = lanes
        self._num_workers = num_workers
        self._error = Average(1.0)
        self.waiting = Waiting()

    def came(self, ticket: Ticket, lane: Lane) -> None:
        """Notes that a request waits."""
        foretold = self._forecast(lane, [ticket.request])
        ticket.foretold_s = 0.0 if foretold is None else foretold.total_s
        self.waiting.add(ticket, lane.expected_tokens(ticket.request))

    def ended(self, ticket: Ticket) -> None:
        """Learns from a request that has run, to its end or its deadline: whatever no forecast knows, such as the event
        loop and others on the machine, makes all of them longer.
        """
        if ticket.foretold_s and not ticket.departed:
            self._error.add((time.monotonic() - ticket.submitted) / ticket.foretold_s)

    def check_unread(self, request: EngineRequest, num_requests: int, runner: Runner) -> None:
        """Refuses requests before their inputs are read, if they would be whatever is in them; raises as `check`.

        Args:
            request: one of them; its source is not looked at.
        """
        self._check_num(request.caller, num_requests)
        if not self.waiting.num_requests:
            return  # `check` will tell; until somebody waits, reading inputs costs nobody much
        lanes = [
            lane
            for lane in self._lanes
            if lane.runner is runner and lane.shape.num_beams == request.generation.num_beams and lane.pace.is_known
        ]
        foretold = [
            forecast(request, lane.pace.usual_source, num_requests, lane, self._lanes, self._num_workers)
            for lane in lanes
        ]
        if foretold:
            self._check_time(request, min((f for f in foretold if f is not None), key=lambda f: f.total_s))

    def _forecast(self, lane: Lane, requests: Sequence[EngineRequest]) -> Forecast | None:
        num_source = lane.runner.source_length(requests[0].source)
        return forecast(requests[0], num_source, len(requests), lane, self._lanes, self._num_workers)

    def check(self, wanted: Sequence[tuple[Lane, EngineRequest]], num_at_once: int) -> None:
        """Refuses a call's requests, or returns.

        Args:
            wanted: all of one caller, and of one call: the same priority and deadline.
            num_at_once: how many of them will be in the queue together.

        Raises:
            Overloaded: too much waits.
            DeadlineUnreachable: they could not be done in time.
        """
        self._check_room(wanted[:num_at_once])
        by_lane: dict[Lane, list[EngineRequest]] = {}
        for lane, request in wanted:
            by_lane.setdefault(lane, []).append(request)
        for lane, requests in by_lane.items():
            foretold = self._forecast(lane, requests)
            if foretold is not None:
                self._check_time(requests[0], foretold)

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

    def _check_time(self, request: EngineRequest, foretold: Forecast) -> None:
        error = self._error.value or 1.0
        wait_s, max_wait_s = error * foretold.first_wait_s, self._limits.max_wait_s
        if not request.bulk and wait_s > max_wait_s:
            raise Overloaded(
                f"the request would wait for some {wait_s:.2g} s; the limit is {max_wait_s:g} s",
                _delay(wait_s - max_wait_s),
            )
        if request.deadline is None:
            return
        left_s = request.deadline - time.monotonic()
        needed_s = MARGIN * error * foretold.total_s
        if needed_s > left_s and foretold.total_s > HARDLY * foretold.alone_s:
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
