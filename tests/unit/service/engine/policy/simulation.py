"""A driver without threads, graphs and time: it carries out the real policy's decisions on a virtual clock.

One worker, as on one core. Calls come at their times, whether or not earlier ones have been answered.
"""

import heapq
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from regard_service.engine.core.request import EngineRequest, RequestState
from regard_service.engine.policy.decision import OpenBatch, StepBatch
from regard_service.engine.policy.lane import BatchState, Lane
from regard_service.engine.policy.policy import BatchingPolicy, EngineConfig
from regard_service.errors import Overloaded
from regard_service.generation import Generation
from tests.unit.service.engine.fake_runner import FakeRunner

OVERHEAD_SLOTS = 2
MAX_SLOTS = 32
NUM_SOURCE = 9


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
    """A call and its fate: `took_s` is None while it runs."""

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


class Simulation:
    """Calls of some kinds through one policy.

    Args:
        is_open: whether every call is let in, whatever the admission says.
    """

    def __init__(self, kinds: Sequence[Kind], seed: int = 0, *, is_open: bool = False) -> None:
        self.kinds, self.is_open, self.random = kinds, is_open, random.Random(seed)
        self.now = 1000.0
        self.policy = BatchingPolicy(EngineConfig(num_workers=1, max_slots=MAX_SLOTS, max_queue=10**6))
        self.runners = [FakeRunner() for _ in kinds]
        self.lanes = [self._lane(number) for number in range(len(kinds))]
        self.calls: list[Call] = []
        self._rows: dict[BatchState, dict[RequestState, int]] = {}  # with the steps that each still makes
        self._call_of: dict[RequestState, Call] = {}

    def _lane(self, number: int) -> Lane:
        """A kind's lane, which has worked at the kind's costs before."""
        kind = self.kinds[number]
        lane = self.policy.lane(self.runners[number], self.request(number, "", math.inf))
        lane.pace.stepped(MAX_SLOTS, 1, kind.slot_s * (MAX_SLOTS + OVERHEAD_SLOTS))
        lane.pace.encoded(1, NUM_SOURCE, kind.encode_s)
        lane.pace.finished(round(kind.mean_steps))
        return lane

    def run(self, arrivals: Iterator[tuple[float, int, str, float]]) -> list[Call]:
        """Runs until all calls have ended. An arrival is its time, kind, caller and timeout."""
        waiting = heapq.merge(arrivals)
        following = next(waiting, None)
        while following is not None or self._call_of:
            if following is not None and (following[0] <= self.now or not self._call_of):
                self.now = max(self.now, following[0])
                self._come(*following[1:])
                following = next(waiting, None)
            else:
                self._work()
        return self.calls

    def request(self, number: int, caller: str, timeout_s: float) -> EngineRequest:
        """A request of a kind that comes now."""
        generation = Generation(max_new_tokens=64, num_beams=self.kinds[number].num_beams)
        return EngineRequest(np.arange(NUM_SOURCE), generation, deadline=self.now + timeout_s, caller=caller)

    def _come(self, number: int, caller: str, timeout_s: float) -> None:
        kind = self.kinds[number]
        call = Call(number, caller, self.now, timeout_s, kind.num_inputs)
        self.calls.append(call)
        request = self.request(number, caller, timeout_s)
        lane = self.policy.lane(self.runners[number], request)
        try:
            if not self.is_open:
                self.policy.admission.check([(lane, request)] * kind.num_inputs, kind.num_inputs, self.now)
        except Overloaded as error:
            call.was_refused, call.retry_after_s = True, error.retry_after_s
            return
        for _ in range(kind.num_inputs):
            state = RequestState(request, self.now)
            self._call_of[state] = call
            self.policy.submit(state, self.policy.lane(self.runners[number], request))

    def _work(self) -> None:
        """Asks the policy for one work and carries it out."""
        decision = self.policy.decide(self.now, num_idle=0)
        for _, request in decision.expired:
            self._end(request)
        match decision.work:
            case OpenBatch(lane):
                self._rows[self.policy.opened(lane)] = {}
            case StepBatch() as work:
                self._step(work)
            case other:
                assert decision.expired, f"one worker, requests to run, and {other}"

    def _step(self, work: StepBatch) -> None:
        lane, rows = work.lane, self._rows[work.batch]
        kind = self.kinds[next(number for number, runner in enumerate(self.runners) if runner is lane.runner)]
        for request in work.admitted:
            self.now += kind.encode_s
            lane.pace.encoded(1, NUM_SOURCE, kind.encode_s)
            rows[request] = max(1, round(self.random.gauss(kind.mean_steps, kind.mean_steps / 4)))
        ended = [request for request in rows if request.is_overdue(self.now)]
        live = {request: left for request, left in rows.items() if request not in ended}
        num_steps = self._visit(work, kind, live)
        done = [request for request, left in live.items() if left <= num_steps]
        for request, left in live.items():
            request.num_steps += min(left, num_steps)
        for request in done:
            lane.pace.finished(request.num_steps)
        rows.clear()
        rows |= {request: left - num_steps for request, left in live.items() if left > num_steps}
        self.policy.finish(work, ended + done, len(rows), self.now)
        for request in ended + done:
            self._end(request)

    def _visit(self, work: StepBatch, kind: Kind, live: dict[RequestState, int]) -> int:
        """Steps as often as the budget allows; beams step once. Returns the number of steps."""
        began, num_steps, num_slots = self.now, 0, len(live) * kind.num_beams
        if not live:
            return 0
        budget = self.policy.step_budget(work, lambda: self.policy.others_are_next(work, self.now), lambda: self.now)
        while True:
            num_steps += 1
            self.now += kind.slot_s * (num_slots + OVERHEAD_SLOTS)
            num_ended = sum(left <= num_steps for left in live.values())
            if kind.num_beams > 1 or num_ended == len(live) or not budget.has_more(num_ended):
                break
        work.lane.pace.stepped(num_slots, num_steps, self.now - began)
        work.lane.pace.visited(self.now - work.since)
        return num_steps

    def _end(self, request: RequestState) -> None:
        call = self._call_of.pop(request)
        call.num_left -= 1
        if not call.num_left:
            call.took_s = self.now - call.came


def poisson(
    kinds: Sequence[Kind], rate: float, seconds: float, timeout_s: float, seed: int, num_callers: int = 8
) -> Iterator[tuple[float, int, str, float]]:
    """Calls that come independently of each other."""
    source = random.Random(seed)
    now = 1000.0
    while (now := now + source.expovariate(rate)) < 1000.0 + seconds:
        (kind,) = source.choices(range(len(kinds)), [kind.weight for kind in kinds])
        yield now, kind, f"caller-{source.randrange(num_callers)}", timeout_s
