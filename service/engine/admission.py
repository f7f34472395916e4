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
from service.engine.request import EngineRequest
from service.engine.ticket import Ticket
from service.errors import DeadlineUnreachable, Overloaded

# The last part of the queue is for callers of whom not much waits, so that one who fills it keeps nobody else out.
KEPT = 1 / 8

# A request that would be late without waiting too may try, for the estimate may be wrong: late is only who would also
# wait for more than this part of its time.
MIN_WAIT = 1 / 8

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
        self.waiting = Waiting()

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
            if lane.num_waiting or len(requests) > 1:  # one request that finds nobody before it need not ask
                foretold = forecast(requests[0], len(requests), lane, self._lanes, self._num_workers)
                if foretold is not None:
                    self._check_time(requests[0], foretold)

    def _check_room(self, wanted: Sequence[tuple[Lane, EngineRequest]]) -> None:
        there, limits = self.waiting, self._limits
        num_own = there.of(wanted[0][1].caller) + len(wanted)
        kept = int(limits.max_requests * KEPT)
        max_requests = limits.max_requests - (kept if num_own > kept else 0)
        if there.num_requests + len(wanted) > max_requests:
            raise Overloaded(
                f"the queue is full: {there.num_requests} requests wait and {len(wanted)} came, the limit is "
                f"{max_requests}",
                self._drain_s(),
            )
        num_tokens = sum(lane.expected_tokens(request) for lane, request in wanted)
        if there.num_requests and there.num_tokens + num_tokens > limits.max_tokens:
            raise Overloaded(
                f"the queue is full: requests of some {there.num_tokens} tokens wait and {num_tokens} came, "
                f"the limit is {limits.max_tokens:g}",
                self._drain_s(),
            )

    def _check_time(self, request: EngineRequest, foretold: Forecast) -> None:
        max_wait_s = self._limits.max_wait_s
        if not request.bulk and foretold.first_wait_s > max_wait_s:
            raise Overloaded(
                f"the request would wait for some {foretold.first_wait_s:.1f} s; the limit is {max_wait_s:g} s",
                _delay(foretold.first_wait_s - max_wait_s),
            )
        if request.deadline is None:
            return
        left_s = request.deadline - time.monotonic()
        if foretold.total_s > left_s and foretold.last_wait_s > MIN_WAIT * left_s:
            late_s = foretold.total_s - left_s
            raise DeadlineUnreachable(
                f"the request would be done in some {foretold.total_s:.1f} s, and its deadline is in {left_s:.1f} s",
                _delay(late_s if foretold.run_s < left_s else foretold.last_wait_s),
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
