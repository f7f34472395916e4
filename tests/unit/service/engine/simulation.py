"""An engine that only counts: admission, lanes, queues and paces are the real ones, time is made up.

One worker, as on one core: lanes take turns, a turn admits what there is room for and makes a step. The load comes as
it comes, whether or not earlier calls have been answered.
"""

import asyncio
import heapq
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from regard_service.engine.core import ticket as ticket_module
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.core.slots import SlotsShape
from regard_service.engine.core.ticket import Ticket
from regard_service.engine.policy import admission as admission_module
from regard_service.engine.policy.admission import Admission, QueueLimits
from regard_service.engine.policy.lane import Lane
from regard_service.engine.policy.pace import Average, Pace
from regard_service.errors import Overloaded
from regard_service.generation import Generation

from tests.unit.service.engine.fake_runner import FakeRunner

OVERHEAD_SLOTS = 2
MAX_SLOTS = 32


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@dataclass(frozen=True)
class Kind:
    """One kind of call.

    Attributes:
        weight: how often it comes, compared with others.
        slot_s, encode_s: what a slot costs a step, and a request its encoding.
        mean_steps: how long outputs are; they differ by as much as texts do.
        num_inputs: requests of one call.
    """

    weight: float
    slot_s: float
    encode_s: float
    mean_steps: float
    num_beams: int = 1
    num_inputs: int = 1


@dataclass
class Call:
    """A call and what became of it: None as long as it runs, else how long that took."""

    kind: int
    caller: str
    came: float
    timeout_s: float
    num_left: int
    was_refused: bool = False
    retry_after_s: float | None = None
    took_s: float | None = None

    @property
    def is_late(self) -> bool:
        return not self.was_refused and (self.took_s is None or self.took_s > self.timeout_s)

    @property
    def is_good(self) -> bool:
        return not self.was_refused and not self.is_late


@dataclass(eq=False)
class Running:
    """What a lane's one batch holds: tickets with the steps that each still makes."""

    rows: list[tuple[Ticket, int]] = field(default_factory=list)

    @property
    def num_requests(self) -> int:
        return len(self.rows)

    @property
    def num_live(self) -> int:
        return len(self.rows)


class Simulation:
    """Calls of some kinds through one admission.

    Args:
        is_open: everybody is let in, whatever the admission says.
    """

    def __init__(
        self, kinds: Sequence[Kind], patch: pytest.MonkeyPatch, seed: int = 0, *, is_open: bool = False
    ) -> None:
        self.kinds, self.is_open, self.random = kinds, is_open, random.Random(seed)
        self.clock = Clock()
        patch.setattr(admission_module, "time", self.clock)
        patch.setattr(ticket_module, "time", self.clock)
        self.lanes = [_lane(kind) for kind in kinds]
        self.batches = [Running() for _ in kinds]
        for lane, batch in zip(self.lanes, self.batches, strict=True):
            lane.batches.append(batch)  # type: ignore[arg-type]  # its requests are only counted
        self.admission = Admission(QueueLimits(10**6, math.inf, math.inf), self.lanes, 1)
        self.calls: list[Call] = []
        self.loop = asyncio.new_event_loop()
        self._calls_of: dict[Ticket, Call] = {}

    def run(self, arrivals: Iterator[tuple[float, int, str, float]]) -> list[Call]:
        """Runs until all that came has ended. An arrival is its time, kind, caller and timeout."""
        waiting = heapq.merge(arrivals)
        following = next(waiting, None)
        while following is not None or self._calls_of:
            if following is not None and (following[0] <= self.clock.now or not self._calls_of):
                self.clock.now = max(self.clock.now, following[0])
                self._come(*following[1:])
                following = next(waiting, None)
                continue
            for number in range(len(self.kinds)):
                self._turn(number)
        self.loop.close()
        return self.calls

    def _come(self, number: int, caller: str, timeout_s: float) -> None:
        kind, lane, now = self.kinds[number], self.lanes[number], self.clock.now
        call = Call(number, caller, now, timeout_s, kind.num_inputs)
        self.calls.append(call)
        request = self.request(number, caller, timeout_s)
        try:
            if not self.is_open:
                self.admission.check([(lane, request)] * kind.num_inputs, kind.num_inputs)
        except Overloaded as error:
            call.was_refused, call.retry_after_s = True, error.retry_after_s
            return
        for _ in range(kind.num_inputs):
            ticket = Ticket(request, self.loop.create_future(), submitted=now)
            self.admission.came(ticket, lane)
            lane.queue.push(ticket, caller, bulk=False)
            self._calls_of[ticket] = call

    def request(self, number: int, caller: str, timeout_s: float) -> EngineRequest:
        """One that came now."""
        generation = Generation(max_new_tokens=64, num_beams=self.kinds[number].num_beams)
        return EngineRequest(np.arange(9), generation, deadline=self.clock.now + timeout_s, caller=caller)

    def _turn(self, number: int) -> None:
        """One lane's turn at the worker."""
        kind, lane, batch = self.kinds[number], self.lanes[number], self.batches[number]
        begin = self.clock.now
        while lane.queue and len(batch.rows) < lane.shape.max_requests:
            ticket = lane.queue.pop()
            self.admission.waiting.remove(ticket)
            if ticket.overdue or self.admission.is_in_vain(ticket, lane):
                self._end(ticket)
                continue
            self.clock.now += kind.encode_s
            batch.rows.append((ticket, max(1, round(self.random.gauss(kind.mean_steps, kind.mean_steps / 4)))))
        if not batch.rows:
            return
        self.clock.now += kind.slot_s * (len(batch.rows) * kind.num_beams + OVERHEAD_SLOTS)
        lane.pace.had_turn(self.clock.now - begin)
        batch.rows = [(ticket, left - 1) for ticket, left in batch.rows]
        for ticket, left in batch.rows:
            if not left or ticket.overdue:
                self._end(ticket)
        batch.rows = [(ticket, left) for ticket, left in batch.rows if left and ticket in self._calls_of]

    def _end(self, ticket: Ticket) -> None:
        call = self._calls_of.pop(ticket)
        self.admission.ended([ticket])
        call.num_left -= 1
        if not call.num_left:
            call.took_s = self.clock.now - call.came


def _lane(kind: Kind) -> Lane:
    shape = SlotsShape(max(1, MAX_SLOTS // kind.num_beams), kind.num_beams, source=32, capacity=64)
    pace = Pace()
    pace._slot_s, pace._num_steps = Average(kind.slot_s), Average(kind.mean_steps)
    pace._source_token_s, pace._num_source = Average(kind.encode_s / 9), Average(9.0)
    return Lane(FakeRunner(), shape, pace)


def poisson(
    kinds: Sequence[Kind], rate: float, seconds: float, timeout_s: float, seed: int, num_callers: int = 8
) -> Iterator[tuple[float, int, str, float]]:
    """Calls that come independently of each other."""
    source = random.Random(seed)
    now = 1000.0
    while (now := now + source.expovariate(rate)) < 1000.0 + seconds:
        (kind,) = source.choices(range(len(kinds)), [kind.weight for kind in kinds])
        yield now, kind, f"caller-{source.randrange(num_callers)}", timeout_s
