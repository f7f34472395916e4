"""The batching policy: which lane is next, which batch, who joins it, and whether a worker encodes or steps.

It is pure bookkeeping: events and a clock time in, a named decision out. It runs no graph, waits for nothing, starts no
thread and reads no clock, so that tests and simulations drive it as the server does. The driver calls it under a lock.

A *lane* holds requests that may share a batch: one model, one source-length bucket, one beam width; a caller of many
requests has one of his own. Workers visit lanes in turn, those of callers first who have used the workers least. A
worker takes a batch of the lane that no other steps, admits requests from the queue, and steps it; where others step
all batches of the lane, it encodes for them what waits. So under load a lane of a large model has as many running
batches as there are workers, and a lane of a small model, whose bookkeeping costs more than its steps, one thick batch.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from regard_service.engine.core.decode import MAX_ENCODED_POSITIONS
from regard_service.engine.core.request import EngineRequest, RequestState
from regard_service.engine.policy.admission import Admission, QueueLimits
from regard_service.engine.policy.decision import Decision, EncodeAhead, OpenBatch, StepBatch, Work
from regard_service.engine.policy.expected import Expected
from regard_service.engine.policy.forecast import stepping_s
from regard_service.engine.policy.lane import BatchState, Lane
from regard_service.engine.policy.lanes import Lanes
from regard_service.engine.policy.step_budget import StepBudget
from regard_service.engine.policy.turns import Turns
from regard_service.engine.runtime.runner import Runner

# A step costs little more for several slots than for one, and a further batch costs a core: a lane gets a second batch
# when its first has this many slots, a third when both have, and so on.
SLOTS_PER_BATCH = 8

# Where stepping a request, as a part of a full batch, takes less than this, one worker can step all requests that the
# event loop delivers while others encode; a second batch would only make both thinner.
LIGHT_STEPPING_S = 0.008

# Source positions that a worker encodes for others at a time, about: the next request's turn comes sooner.
MAX_POSITIONS_AHEAD = 2 * MAX_ENCODED_POSITIONS

# Beside other callers a visit encodes no more positions: they wait for its end.
MAX_POSITIONS_JOINING = 2 * MAX_ENCODED_POSITIONS

# Encoding a few texts takes little longer than encoding one. If fewer than a quarter of the live requests would join,
# they wait for one step, and later ones are encoded with them.
MIN_JOINING_FRACTION = 1 / 4

# A worker encodes one picture between two steps: several at once take longer each (three times among 32), and every
# request of the batch would wait for them.
MAX_PICTURES_PER_STEP = 1


Expired = list[tuple[Lane, RequestState]]


@dataclass(frozen=True)
class EngineConfig:
    """Sizes of the engine.

    Attributes:
        num_workers: threads that run graphs, one a core.
        max_slots: slots of a running batch; it holds `max_slots // num_beams` requests, at least one.
        max_queue, max_queue_tokens, max_queue_s: see `QueueLimits`.
    """

    num_workers: int
    max_slots: int = 32
    max_queue: int = 512
    max_queue_tokens: float = math.inf
    max_queue_s: float = math.inf

    @property
    def queue_limits(self) -> QueueLimits:
        """The limits of the queue."""
        return QueueLimits(self.max_queue, self.max_queue_tokens, self.max_queue_s)


class BatchingPolicy:
    """Decides for all workers.

    Attributes:
        lanes: in the order of the workers' next visits.
        admission: decides who may wait.
        num_active: requests that wait or run.
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self._turns = Turns()
        self._lanes = Lanes(config.max_slots, self._turns.many)
        self.lanes = self._lanes.all
        self.admission = Admission(config.queue_limits, self.lanes, config.num_workers)
        self.num_active = 0
        self._expected = Expected()

    # Requests come and go.

    def lane(self, runner: Runner, request: EngineRequest, *, is_alone: bool = False) -> Lane:
        """The lane of a request, a new one if there is none. Args: is_alone: one whose batches hold one request."""
        return self._lanes.lane(runner, request, is_alone=is_alone)

    def submit(self, request: RequestState, lane: Lane) -> None:
        """A request enters its lane's queue."""
        self.admission.add(request, lane)
        self._turns.enter(request.request.caller, request.request.weight)
        self._expected.came(request.request.caller)
        lane.callers[request.request.caller] += 1
        lane.queue.push(request, request.request.caller, bulk=request.request.bulk)
        self.num_active += 1

    def withdraw(self, request: RequestState, now: float) -> Lane | None:
        """Takes a request out of the queue. Returns the lane that it waited in; None if it does not wait."""
        for lane in self.lanes:
            if lane.queue.remove(request, request.request.caller, bulk=request.request.bulk):
                self.admission.waiting.remove(request)
                self._end(lane, [request], now)
                return lane
        return None

    def retire(self, runner: Runner) -> None:
        """Drops a model's lanes, now or when their last request ends; it gets no more requests."""
        self._lanes.retire(runner)

    def drop_unused(self) -> None:
        """Drops the lanes of retired models that have nothing left to do, and unused ones beyond their limit."""
        self._lanes.drop_unused()

    # Workers ask for work and return it.

    def decide(self, now: float, num_idle: int, no_memory: Collection[Lane] = ()) -> Decision:
        """The next lane's work for one worker.

        Args:
            num_idle: other workers that have nothing to do.
            no_memory: lanes for which the driver has just failed to open a batch.
        """
        expired: Expired = []
        keeps_one = self.keeps_worker_s(now) is not None
        for lane in self._in_turn():
            if keeps_one and lane.callers.keys() <= self._turns.many:
                continue
            work = self._step_work(lane, now, num_idle, no_memory, expired) or self._ahead_work(lane, now, expired)
            if isinstance(work, OpenBatch):
                return Decision(work, expired)
            self.lanes.remove(lane)
            self.lanes.append(lane)
            if work is not None:
                work.batch.num_requests += len(work.admitted)
                work.batch.callers.update(request.request.caller for request in work.admitted)
                return Decision(work, expired)
        return Decision(None, expired)

    def opened(self, lane: Lane) -> BatchState:
        """The driver has opened a batch of the lane."""
        batch = BatchState(lane.shape.max_requests)
        lane.batches.append(batch)
        return batch

    def refuse_waiting(self, lane: Lane, now: float) -> list[RequestState]:
        """Takes all requests out of a lane's queue, because no batch can be opened for them and none is running."""
        refused = [] if lane.num_busy else [self._pop(lane) for _ in range(lane.num_waiting)]
        self._end(lane, refused, now)
        return refused

    def arrived(self, work: EncodeAhead) -> None:
        """The requests of a work are encoded; they join before the batch's next step."""
        work.batch.num_arrived += len(work.admitted)

    def finish(self, work: Work, ended: Sequence[RequestState], num_live: int, now: float) -> None:
        """A worker returns its work.

        Args:
            ended: requests that left the engine.
            num_live: requests in the batch's rows; read only if the work stepped it.
        """
        lane, batch = work.lane, work.batch
        if isinstance(work, EncodeAhead):
            lane.num_encoding -= 1
        else:
            batch.is_stepped = False
            batch.num_live = num_live
            if batch in lane.batches:  # not dropped by a failure
                lane.batches.remove(batch)
                lane.batches.append(batch)
        self._turns.charge(batch.callers, now - work.since)
        batch.num_requests -= len(ended)
        if ended:
            _take_out(batch.callers, ended)
        self._end(lane, ended, now)

    def drop_batch(self, lane: Lane, batch: BatchState) -> None:
        """Drops a batch that has failed, or that is idle and whose memory others may need."""
        lane.batches.remove(batch)

    def idle_batches(self) -> list[tuple[Lane, BatchState]]:
        """Batches without requests, of lanes without any in the queue, those of each lane last used last."""
        return [
            (lane, batch)
            for lane in self.lanes
            for batch in lane.batches
            if not (batch.num_requests or batch.is_stepped or lane.num_waiting)
        ]

    # Questions.

    def has_work(self, now: float) -> bool:
        """Whether an idle worker would get any."""
        if self.keeps_worker_s(now) is None:
            return any(self._has_work(lane) for lane in self.lanes)
        return any(self._has_work(lane) for lane in self.lanes if not lane.callers.keys() <= self._turns.many)

    def keeps_worker_s(self, now: float) -> float | None:
        """How long the worker that asks for work has none for callers of many requests, because somebody else is
        expected and all other workers serve them; None if it has.
        """
        left_s = self._expected.until(now) - now
        if left_s <= 0 or self.config.num_workers == 1:
            return None
        lanes = [lane for lane in self.lanes if lane.callers and lane.callers.keys() <= self._turns.many]
        num_works = sum(lane.num_encoding + sum(batch.is_stepped for batch in lane.batches) for lane in lanes)
        return left_s if num_works >= self.config.num_workers - 1 else None

    def is_alone(self, lane: Lane) -> bool:
        """Whether no other lane has requests; needs no lock, as a step asks it often."""
        return self.num_active == lane.num_admitted + lane.num_waiting

    def has_work_beside(self, lane: Lane) -> bool:
        """Whether another lane has work that no worker is at."""
        return any(other is not lane and self._has_work(other) for other in self.lanes)

    def others_are_next(self, work: StepBatch, now: float) -> bool:
        """Whether a worker that makes another step before it returns its work would keep others from their turn."""
        callers = work.batch.callers.keys()
        if not (self._turns.has_others and self._turns.is_ahead(callers, now - work.since)):
            return self.has_work_beside(work.lane)
        lanes = (lane for lane in self.lanes if lane is not work.lane and not callers.isdisjoint(lane.callers))
        return any(self._has_work(lane) for lane in lanes)

    def step_budget(self, work: StepBatch, others_wait: Callable[[], bool], clock: Callable[[], float]) -> StepBudget:
        """How often a worker may step the batch before it returns it."""
        return StepBudget(work.lane, work.batch, others_wait, clock)

    def num_waiting(self, runner: Runner) -> int:
        """Requests of a model in the queues of its lanes."""
        return sum(lane.num_waiting for lane in self.lanes if lane.runner is runner)

    def num_live_slots(self, runner: Runner) -> int:
        """Slots of a model's requests that have rows."""
        lanes = (lane for lane in self.lanes if lane.runner is runner)
        return sum(batch.num_live * lane.shape.num_beams for lane in lanes for batch in lane.batches)

    # How work is chosen.

    def _in_turn(self) -> Sequence[Lane]:
        """Lanes in the order in which a worker visits them: by the turns of the callers who have requests there. A
        caller gains nothing by requests in many lanes; its own lanes take turns among each other.
        """
        lanes = [lane for lane in self.lanes if lane.callers]
        if len(lanes) > 1 and self._turns.has_others:
            lanes.sort(key=lambda lane: self._turns.next_of(lane.callers))
        return lanes

    def _step_work(
        self,
        lane: Lane,
        now: float,
        num_idle: int,
        no_memory: Collection[Lane],
        expired: Expired,
    ) -> StepBatch | OpenBatch | None:
        """A batch to step, with the requests that join it first."""
        batch = lane.steppable()
        if batch is None and self._may_grow(lane):
            batch = lane.empty()
            if batch is None and lane not in no_memory:
                return OpenBatch(lane)
        if batch is None:
            return None
        admitted = self._joining(lane, batch, now, num_idle, expired)
        batch.num_arrived, batch.is_stepped = 0, True
        return StepBatch(lane, batch, admitted, now)

    def _ahead_work(self, lane: Lane, now: float, expired: Expired) -> EncodeAhead | None:
        """Requests to encode while another worker steps the batch that they join."""
        batch = self._batch_ahead(lane)
        if batch is None:
            return None
        max_texts = max(1, MAX_POSITIONS_AHEAD // lane.shape.source)
        num_taken = min(batch.num_free, MAX_PICTURES_PER_STEP if lane.takes_pictures else max_texts)
        admitted = self._take(lane, num_taken, now, expired)
        if not admitted:
            return None
        lane.num_encoding += 1
        return EncodeAhead(lane, batch, admitted, now)

    def _has_work(self, lane: Lane) -> bool:
        if lane.steppable() is not None or self._may_grow(lane):
            return True
        return self._batch_ahead(lane) is not None

    def _batch_ahead(self, lane: Lane) -> BatchState | None:
        """The batch, stepped by another worker, that waiting requests can be encoded for; None if there is none.

        Requests of one step have no step to be ready for: they wait for a worker of their own.
        """
        return lane.fullest_stepped() if lane.num_waiting and not lane.takes_one_step else None

    def _may_grow(self, lane: Lane) -> bool:
        """Whether waiting requests deserve one more batch."""
        return bool(lane.num_waiting) and lane.num_busy < self._num_deserved(lane)

    def _num_deserved(self, lane: Lane) -> int:
        """Batches that the lane's requests, waiting ones included, should be spread over."""
        num_requests = lane.num_admitted + lane.num_waiting
        if lane.takes_one_step:  # nothing is shared between them but the call that encodes them
            return min(self.config.num_workers, max(1, num_requests))
        num_batches = -(-num_requests // lane.shape.max_requests)
        if not (lane.pace.is_known and stepping_s(lane) < LIGHT_STEPPING_S):
            num_by_slots = num_requests * lane.shape.num_beams // SLOTS_PER_BATCH
            num_batches = max(num_batches, min(num_by_slots, self._num_fair_workers(lane)))
        return min(self.config.num_workers, max(1, num_batches))

    def _num_fair_workers(self, lane: Lane) -> int:
        """The lane's share of the workers, if its model had them all: its share of the model's slots.

        A model whose texts differ in length has a lane for each bucket; more batches than workers would be thinner
        than they need be.
        """
        lanes = [other for other in self.lanes if other.runner is lane.runner]
        num_slots = sum(other.num_slots for other in lanes)
        return round(self.config.num_workers * lane.num_slots / max(1, num_slots))

    def _joining(
        self, lane: Lane, batch: BatchState, now: float, num_idle: int, expired: Expired
    ) -> list[RequestState]:
        """Takes this batch's share of the queue, so that the batches of all workers fill evenly."""
        if lane.num_encoding and lane.num_waiting <= batch.num_live:
            return []  # other workers encode them, and the live requests need not wait for that
        num_deserved = self._num_deserved(lane)
        if lane.num_busy > num_deserved and not lane.is_fullest(batch):
            return []  # this batch runs empty
        share = -(-(lane.num_admitted + lane.num_waiting) // num_deserved) - batch.num_requests
        # Idle workers that get no batch of their own encode for this one at the same time.
        num_opening = num_deserved - lane.num_busy - (not batch.num_requests)
        share = -(-share // (1 + max(0, num_idle - max(0, num_opening))))
        if not batch.num_live:
            share = max(share, 1)
        if lane.takes_pictures:
            share = min(share, MAX_PICTURES_PER_STEP)
        elif self._turns.has_others:
            share = min(share, max(1, MAX_POSITIONS_JOINING // lane.shape.source))
        num_taken = min(batch.num_free, lane.num_waiting, share)
        if not lane.takes_pictures and self._postpones(batch, num_taken):
            return []
        return self._take(lane, num_taken, now, expired)

    def _postpones(self, batch: BatchState, num_taken: int) -> bool:
        """Whether so few requests join after the next step, with later ones; never twice in a row."""
        is_few = 0 < num_taken < int(batch.num_live * MIN_JOINING_FRACTION)
        batch.has_postponed = is_few and not batch.has_postponed
        return batch.has_postponed

    def _take(self, lane: Lane, num_taken: int, now: float, expired: Expired) -> list[RequestState]:
        """Pops the next requests of the queue. Adds a request to `expired` if its caller has left or it is late."""
        taken = []
        for request in [self._pop(lane) for _ in range(min(num_taken, lane.num_waiting))]:
            if request.is_overdue(now) or request.has_left or self.admission.is_in_vain(request, lane, now):
                self._end(lane, [request], now)
                expired.append((lane, request))
            else:
                taken.append(request)
        return taken

    def _pop(self, lane: Lane) -> RequestState:
        request = lane.queue.pop()
        self.admission.waiting.remove(request)
        return request

    def _end(self, lane: Lane, requests: Sequence[RequestState], now: float) -> None:
        """Requests of a lane are over."""
        if requests:
            for request in requests:
                if self._turns.leave(request.request.caller):
                    self._expected.left(request.request.caller, now - request.submitted, now)
            _take_out(lane.callers, requests)
            self.admission.ended(requests, now)
            self.num_active -= len(requests)


def _take_out(callers: Counter[str], requests: Sequence[RequestState]) -> None:
    """Counts requests that are over. Subtracting a counter would build two more, several times per call."""
    for request in requests:
        caller = request.request.caller
        callers[caller] -= 1
        if callers[caller] <= 0:
            del callers[caller]
