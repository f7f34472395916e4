"""Continuous batching: a bounded queue in front, workers behind, requests joining and leaving between steps.

A *lane* holds what may share a batch: one model, one source-length bucket, one beam width. Every worker takes the
next lane that has work, fairly, claims one of its running batches, admits what waits, and steps it, once or a few times
(`turn.py`). Where others step all that a lane has, a worker encodes for them what waits. So a lane of a large model has
under load as many running batches as there are workers, and one of a small model, whose calls cost more than their
steps, has a thick one.
"""

import asyncio
import logging
import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain

from regard_service.bundle import ImageSource
from regard_service.engine.core.batch import Encoded, RunningBatch
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.request import EngineRequest, EngineResult
from regard_service.engine.core.slots import SlotsShape
from regard_service.engine.core.ticket import Delivery, OnTokens, Outbox, Ticket, deliver
from regard_service.engine.policy.admission import Admission, QueueLimits
from regard_service.engine.policy.forecast import stepping_s
from regard_service.engine.policy.lane import Claim, Lane
from regard_service.engine.policy.pace import Pace
from regard_service.engine.policy.step_budget import Turn
from regard_service.engine.runtime.runner import Runner
from regard_service.errors import DeadlinePassed, Draining, OutOfMemory, ServiceError, is_out_of_memory

SOURCE_BUCKETS = (32, 64, 128, 256, 512, 1024, 2048, 4096)

# Batches that have nothing to do are kept while their buffers have at most so many bytes together: making one anew
# takes a millisecond or two, which only requests of small models would notice, and theirs are small.
MAX_IDLE_BYTES = 256 << 20

# A step costs little more for several slots than for one, and a further batch costs a core: a lane gets a second batch
# when its first has this many slots, a third when both have, and so on.
ENOUGH_SLOTS = 8

# Where stepping a request takes less than this, as a part of a full batch, one worker steps as many as the event loop
# brings, and others encode for it: a second batch would only make both thinner.
LIGHT_STEPPING_S = 0.008

# How many source positions a worker encodes for others at a time, about: those that come next get their turn sooner.
MAX_AHEAD = 256

# How many source tokens are encoded in one call, unless a single source has more: larger calls are no faster a token,
# and the memory that the largest ever needed stays taken.
MAX_TOGETHER = 128

# Encoding a few texts takes little longer than encoding one: where fewer join than one to so many live ones, they wait
# for a step, and whoever comes meanwhile is encoded with them.
FEW = 4

# Pictures are encoded one between two steps: several at once take longer each (three times among 32), and all who share
# the batch would wait for them.
MAX_PICTURES_A_STEP = 1

log = logging.getLogger(__name__)


def bucket_of(length: int) -> int:
    """The positions that a batch has for texts of this length."""
    return next((bucket for bucket in SOURCE_BUCKETS if bucket >= length), length)


@dataclass(frozen=True)
class SchedulerConfig:
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
        return QueueLimits(self.max_queue, self.max_queue_tokens, self.max_queue_s)


class Scheduler:
    """Takes requests from event loops, runs them on its worker threads.

    `submit`, `cancel` and `drain` are called on an event loop; nothing here computes on one.
    """

    def __init__(self, config: SchedulerConfig, observer: EngineObserver | None = None) -> None:
        self.config = config
        self.observer = observer or EngineObserver()
        self._lanes: dict[tuple[Runner, int, int], Lane] = {}  # by beams and source positions
        self._turn: deque[Lane] = deque()
        self._admission = Admission(config.queue_limits, self._turn, config.num_workers)
        self._claims: set[Claim] = set()
        self._forgotten: weakref.WeakSet[Runner] = weakref.WeakSet()
        self._last_claim = time.monotonic()
        self._num_active = 0
        self._draining = False
        self._closed = False
        self._lock = threading.Lock()
        self._all_done = threading.Condition(self._lock)
        self._idle: list[threading.Condition] = []  # of the workers that wait; the last to fall idle is woken first
        self._workers = [
            threading.Thread(target=self._work, args=(core,), name=f"engine-{n}", daemon=True)
            for n, core in enumerate(_cores(config.num_workers))
        ]
        for worker in self._workers:
            worker.start()

    async def generate(
        self,
        runner: Runner,
        request: EngineRequest,
        on_tokens: OnTokens | None = None,
        *,
        is_checked: bool = False,
        was_read: bool = False,
    ) -> EngineResult:
        """Runs a request to its end. Cancelling the caller frees its slots before the next step.

        Args:
            is_checked: it was let in by `check`, with others of its call.
            was_read: it was let in by `check_unread`, and its input has been read since.

        Raises:
            Overloaded: too much waits, or the request would not be done by its deadline.
            Draining: the server is going away.
            DeadlinePassed: the request's deadline passed, waiting or decoding.
        """
        ticket = self.submit(runner, request, on_tokens, is_checked=is_checked, was_read=was_read)
        try:
            return await ticket.done
        except asyncio.CancelledError:
            self.cancel(ticket)
            raise

    def check(
        self, runner: Runner, requests: Sequence[EngineRequest], num_at_once: int, *, was_read: bool = False
    ) -> None:
        """Lets in all of a call's requests, so many of them at once, or none; arguments and errors as of `generate`."""
        with self._lock:
            self._check(runner, requests, num_at_once, was_read)

    def check_unread(self, runner: Runner, request: EngineRequest, num_requests: int) -> None:
        """Refuses requests like this one before their inputs are read, if they would be refused then anyway.

        Args:
            request: its source is not looked at.
            num_requests: how many of them would be in the queue at once.
        """
        with self._lock:
            if self._draining:
                raise Draining("the server is shutting down")
            self._admission.check_unread(request, num_requests, runner)

    def submit(
        self,
        runner: Runner,
        request: EngineRequest,
        on_tokens: OnTokens | None = None,
        *,
        is_checked: bool = False,
        was_read: bool = False,
    ) -> Ticket:
        """Puts a request into the queue; arguments and errors as of `generate`."""
        ticket = Ticket(request, asyncio.get_running_loop().create_future(), on_tokens)
        with self._lock:
            if not is_checked:
                self._check(runner, (request,), 1, was_read)
            elif self._closed:
                raise Draining("the server is shutting down")
            lane = self._lane(runner, request)
            self._admission.came(ticket, lane)
            lane.queue.push(ticket, request.caller, bulk=request.bulk)
            if not self._num_active:
                self._last_claim = time.monotonic()  # until now there was nothing to do
            self._num_active += 1
            self._report_queue(runner)
            self._wake_one()
        return ticket

    def _check(self, runner: Runner, requests: Sequence[EngineRequest], num_at_once: int, was_read: bool) -> None:
        if self._draining:
            raise Draining("the server is shutting down")
        wanted = [(self._lane(runner, request), request) for request in requests]
        self._admission.check(wanted, num_at_once, was_read=was_read)

    def cancel(self, ticket: Ticket) -> None:
        """Ends a request whose caller has left: at once if it waits, else before the next step."""
        ticket.departed = True
        with self._lock:
            for lane in self._turn:
                if lane.queue.remove(ticket, ticket.request.caller, bulk=ticket.request.bulk):
                    self._admission.waiting.remove(ticket)
                    self._end([ticket])
                    self._report_queue(lane.runner)
                    self.observer.finished(lane.runner.manifest.name, ticket.interruption, 0, "queue")
            self._drop_forgotten()

    def forget(self, runner: Runner) -> None:
        """Lets go of a runner that gets no more requests, with its buffers, once those that it has are done."""
        with self._lock:
            self._forgotten.add(runner)
            self._drop_forgotten()

    def stalled_s(self) -> float:
        """For how long the slowest running batch has not finished its step; 0 if there is nothing to do.

        Where requests wait and no worker runs anything: for how long that is so.
        """
        with self._lock:
            if not self._num_active:
                return 0.0
            return time.monotonic() - min((claim.since for claim in self._claims), default=self._last_claim)

    @property
    def num_active(self) -> int:
        """Requests that wait or run."""
        return self._num_active

    def batches(self) -> list[RunningBatch]:
        """All batches there are, idle ones too."""
        with self._lock:
            return [batch for lane in self._turn for batch in lane.batches]

    async def drain(self, timeout_s: float) -> bool:
        """Takes no more requests and waits for those it has; False if the time was too short."""
        self._draining = True
        return await asyncio.to_thread(self._wait_until_idle, timeout_s)

    def _wait_until_idle(self, timeout_s: float) -> bool:
        with self._lock:
            return self._all_done.wait_for(lambda: not self._num_active, timeout_s)

    def close(self) -> None:
        """Stops the workers; what still waits or runs is told that the server is shutting down."""
        with self._lock:
            self._draining = self._closed = True
            while self._idle:
                self._wake_one()
        for worker in self._workers:
            worker.join()
        left = [t for lane in self._turn for t in lane.queue]
        batches = [batch for lane in self._turn for batch in lane.batches]
        left += [ticket for batch in batches for ticket in batch.tickets]
        left += [ticket for batch in batches for encoded in batch.arrived for ticket in encoded.tickets]
        deliver([Delivery(ticket, Draining("the server is shutting down")) for ticket in left])

    def _lane(self, runner: Runner, request: EngineRequest) -> Lane:
        num_beams = request.generation.num_beams
        length = runner.source_length(request.source)
        source = length if isinstance(runner.manifest.source, ImageSource) else bucket_of(length)
        lane = self._lanes.get((runner, num_beams, source))
        if lane is None:
            shape = SlotsShape(
                max_requests=max(1, self.config.max_slots // num_beams),
                num_beams=num_beams,
                source=source,
                capacity=runner.manifest.max_target_tokens,
            )
            like = next((other.pace for other in self._turn if other.runner is runner and other.pace.is_known), None)
            lane = self._lanes[runner, num_beams, source] = Lane(runner, shape, Pace(like))
            self._turn.append(lane)
        return lane

    def _work(self, core: int | None) -> None:
        """A worker's life: claim a batch, have a turn at it, give it back, claim the next."""
        if core is not None:
            with suppress(OSError):  # a sandbox may forbid it, which costs no more than some time
                os.sched_setaffinity(0, {core})  # of this thread
        bell, outbox = threading.Condition(self._lock), Outbox()
        with self._lock:
            while (claim := self._next(bell, outbox)) is not None:
                with self._unlocked():
                    deliveries = self._run(claim, outbox)
                    outbox.hold(deliveries)
                    if not claim.batch.num_live:
                        outbox.send()  # there may be nothing to compute before others hear of it
                self._give_back(claim, [delivery.ticket for delivery in deliveries if delivery.is_last])
                del claim, deliveries  # a worker that waits must not keep a forgotten model in memory
        outbox.send()

    @contextmanager
    def _unlocked(self) -> Iterator[None]:
        """Lets others have the lock. Between two claims a worker keeps it, so that no other takes its batch."""
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()

    def _run(self, claim: Claim, outbox: Outbox) -> list[Delivery]:
        """Encodes and steps; a failure costs the requests of this claim's batch and nothing else.

        What the outbox holds is sent before the first graph runs.
        """
        lane, batch = claim.lane, claim.batch
        try:
            if claim.admitted:
                outbox.send()
            if not claim.steps:
                self._hand_over(claim, list(self._encoded(claim)))
                return []
            for each in chain(claim.arrived, self._encoded(claim)):
                batch.join(each)
            outbox.send()
            deliveries = self._stepped(lane, batch)
            lane.pace.had_turn(time.monotonic() - claim.since)
            for delivery in deliveries:
                if isinstance(delivery.outcome, EngineResult):
                    lane.pace.finished(delivery.ticket.num_steps)
            return deliveries
        except Exception as error:
            log.exception("a batch of model %r failed", lane.runner.manifest.name)
            told = OutOfMemory() if is_out_of_memory(error) else ServiceError("the engine failed on this batch")
            return [Delivery(ticket, told) for ticket in self._lost(claim)]

    def _stepped(self, lane: Lane, batch: RunningBatch) -> list[Delivery]:
        """Steps a batch, as often as a turn goes on."""
        num_slots, num_steps, began = batch.num_live * lane.shape.num_beams, batch.num_steps, time.monotonic()
        deliveries = batch.step(Turn(lane, batch, partial(self._others_wait, lane)).goes_on)
        lane.pace.stepped(num_slots, batch.num_steps - num_steps, time.monotonic() - began)
        return deliveries

    def _encoded(self, claim: Claim) -> Iterator[Encoded]:
        """Encodes what a claim admits, group by group: one's memory is in the batch before the next is encoded."""
        runner = claim.lane.runner
        for tickets in _groups(runner, claim.admitted):
            num_source = sum(runner.source_length(ticket.request.source) for ticket in tickets)
            with claim.lane.pace.encoding(len(tickets), num_source):
                encoded = claim.batch.encode(tickets, on_all_cores=self._others_are_idle())
            yield encoded

    def _others_are_idle(self) -> bool:
        """Whether this worker is the only one that has anything to do: none is at work or about to be woken."""
        return len(self._idle) == len(self._workers) - 1 and not self._admission.waiting.num_requests

    def _hand_over(self, claim: Claim, encoded: list[Encoded]) -> None:
        """Leaves requests to the worker that steps next."""
        with self._lock:
            if claim.batch not in claim.lane.batches:
                raise ServiceError("the batch that they were encoded for has failed")
            claim.batch.arrived += encoded

    def _lost(self, claim: Claim) -> set[Ticket]:
        """Takes note of what a failed claim costs: what it encoded, and where it stepped, all that is in the batch."""
        lane, batch, lost = claim.lane, claim.batch, set(claim.admitted)
        if claim.steps:
            with self._lock:
                lane.batches.remove(batch)
                lane.claimed.discard(batch)
                lost.update(batch.tickets)
                for encoded in (*claim.arrived, *batch.arrived):
                    lost.update(encoded.tickets)
                batch.arrived.clear()
            batch.clear()
        for ticket in lost:
            self.observer.finished(lane.runner.manifest.name, "failed", 0, ticket.phase)
        return lost

    def _next(self, bell: threading.Condition, outbox: Outbox) -> Claim | None:
        """Waits for a batch to run, having told callers what they have to know; None when the engine closes."""
        while not self._closed:
            claim = self._claim()
            if claim is not None:
                if self._idle and any(self._has_work(lane) for lane in self._turn):
                    self._wake_one()
                return claim
            outbox.send()
            self._idle.append(bell)
            bell.wait()
        return None

    def _wake_one(self) -> None:
        """Wakes the worker whose caches are warmest."""
        if self._idle:
            self._idle.pop().notify()

    def _claim(self) -> Claim | None:
        """The next lane's work: a batch that nobody runs, or what waits for one that others run."""
        for _ in range(len(self._turn)):
            lane = self._turn[0]
            self._turn.rotate(-1)
            claim = self._stepping(lane) or self._encoding_ahead(lane)
            if claim is not None:
                claim.batch.num_requests += len(claim.admitted)
                self._claims.add(claim)
                self._last_claim = claim.since
                return claim
        return None

    def _stepping(self, lane: Lane) -> Claim | None:
        """A batch to step, with all that joins it first."""
        batch = lane.unclaimed_live() or (self._grown(lane) if self._may_grow(lane) else None)
        if batch is None:
            return None
        admitted = self._admissible(lane, batch)
        arrived, batch.arrived = batch.arrived, []
        lane.claimed.add(batch)
        return Claim(lane, batch, admitted, arrived)

    def _encoding_ahead(self, lane: Lane) -> Claim | None:
        """What waits, to be encoded while another worker steps the batch that it joins."""
        batch = lane.fullest_claimed() if lane.num_waiting else None
        if batch is None:
            return None
        num_texts = max(1, MAX_AHEAD // lane.shape.source)
        admitted = self._taken(lane, min(batch.num_free, MAX_PICTURES_A_STEP if lane.takes_pictures else num_texts))
        if not admitted:
            return None
        lane.num_encoding += 1
        return Claim(lane, batch, admitted, steps=False)

    def _has_work(self, lane: Lane) -> bool:
        if lane.unclaimed_live() is not None or self._may_grow(lane):
            return True
        return bool(lane.num_waiting) and lane.fullest_claimed() is not None

    def _others_wait(self, lane: Lane) -> bool:
        """Whether another lane has something to do that no worker is at."""
        if self._num_active == lane.num_live + lane.num_waiting:
            return False  # as a rule, and this takes no lock
        with self._lock:
            return any(other is not lane and self._has_work(other) for other in self._turn)

    def _may_grow(self, lane: Lane) -> bool:
        """Whether waiting requests deserve one more batch."""
        return bool(lane.num_waiting) and lane.num_busy < self._num_deserved(lane)

    def _num_deserved(self, lane: Lane) -> int:
        """How many batches the lane's requests, waiting ones included, should be spread over."""
        num_requests = lane.num_live + lane.num_waiting
        num_batches = -(-num_requests // lane.shape.max_requests)
        if not (lane.pace.is_known and stepping_s(lane) < LIGHT_STEPPING_S):
            num_batches = max(num_batches, min(num_requests * lane.shape.num_beams // ENOUGH_SLOTS, self._share(lane)))
        return min(self.config.num_workers, max(1, num_batches))

    def _share(self, lane: Lane) -> int:
        """How many of the workers a lane would keep busy if its model had them all: as many as it has of the model's
        slots. A model whose texts are of several lengths has a lane for each, and more batches than workers are thinner
        than they need be.
        """
        lanes = [other for other in self._turn if other.runner is lane.runner]
        num_slots = sum(other.num_slots for other in lanes)
        return round(self.config.num_workers * lane.num_slots / max(1, num_slots))

    def _grown(self, lane: Lane) -> RunningBatch | None:
        """A batch more for the lane. Where memory is short, those that run must do; if none does, who waits is told."""
        try:
            return self._spare(lane)
        except MemoryError:
            log.warning("there is no memory for another batch of model %r", lane.runner.manifest.name)
        refused = [self._pop(lane) for _ in range(0 if lane.num_busy else lane.num_waiting)]
        for _ in refused:
            self.observer.finished(lane.runner.manifest.name, "failed", 0, "queue")
        self._end(refused)
        self._report_queue(lane.runner)
        deliver([Delivery(ticket, OutOfMemory()) for ticket in refused])
        return None

    def _spare(self, lane: Lane) -> RunningBatch:
        """An empty batch of the lane, a new one if it has none."""
        for batch in lane.batches:
            if batch not in lane.claimed and not batch.num_requests:
                return batch
        lane.batches.append(RunningBatch(lane.runner, lane.shape, self.observer))
        return lane.batches[-1]

    def _admissible(self, lane: Lane, batch: RunningBatch) -> list[Ticket]:
        """Takes this batch's share of what waits, so that all workers' batches fill evenly."""
        if lane.num_encoding and lane.num_waiting <= batch.num_live:
            return []  # others see to them, and the live ones need not wait for that
        num_deserved = self._num_deserved(lane)
        if lane.num_busy > num_deserved and not lane.is_fullest(batch):
            return []  # it runs empty
        share = -(-(lane.num_live + lane.num_waiting) // num_deserved) - batch.num_requests
        # Workers that have nothing to do, and get no batch of their own, encode for this one at the same time.
        num_more = num_deserved - lane.num_busy - (not batch.num_requests)
        share = -(-share // (1 + max(0, len(self._idle) - max(0, num_more))))
        if not batch.num_live:
            share = max(share, 1)
        if lane.takes_pictures:
            share = min(share, MAX_PICTURES_A_STEP)
        num_taken = min(batch.num_free, lane.num_waiting, share)
        if not lane.takes_pictures and self._waits_for_more(batch, num_taken):
            return []
        return self._taken(lane, num_taken)

    def _taken(self, lane: Lane, num_taken: int) -> list[Ticket]:
        """The next ones of the queue; those that nobody waits for any more are ended instead."""
        admitted = []
        for ticket in [self._pop(lane) for _ in range(min(num_taken, lane.num_waiting))]:
            if ticket.overdue or ticket.departed or self._admission.is_in_vain(ticket, lane):
                self._end([ticket])
                reason = "cancelled" if ticket.departed and not ticket.overdue else "deadline"
                self.observer.finished(lane.runner.manifest.name, reason, 0, "queue")
                deliver([Delivery(ticket, DeadlinePassed("the deadline passed in the queue, or would before the end"))])
            else:
                admitted.append(ticket)
        self._report_queue(lane.runner)
        return admitted

    def _waits_for_more(self, batch: RunningBatch, num_taken: int) -> bool:
        """Whether so few had better join with those that come during the next step; never twice in a row."""
        batch.has_postponed = 0 < num_taken < batch.num_live // FEW and not batch.has_postponed
        return batch.has_postponed

    def _pop(self, lane: Lane) -> Ticket:
        ticket = lane.queue.pop()
        self._admission.waiting.remove(ticket)
        return ticket

    def _give_back(self, claim: Claim, finished: list[Ticket]) -> None:
        lane, batch = claim.lane, claim.batch
        self._claims.discard(claim)
        if claim.steps:
            lane.claimed.discard(batch)
            if batch in lane.batches:  # it has not failed
                lane.batches.remove(batch)
                lane.batches.append(batch)
        else:
            lane.num_encoding -= 1
        batch.num_requests -= len(finished)
        if finished or claim.admitted or claim.arrived:
            self._end(finished)
            self.observer.live(lane.runner.manifest.name, self._num_live_slots(lane.runner))
        if not batch.num_live:
            self._drop_idle()
            self._drop_forgotten()

    def _end(self, tickets: Sequence[Ticket]) -> None:
        """Takes note of requests that are over."""
        self._admission.ended(tickets)
        self._num_active -= len(tickets)
        if not self._num_active:
            self._all_done.notify_all()

    def _num_live_slots(self, runner: Runner) -> int:
        lanes = (lane for lane in self._turn if lane.runner is runner)
        return sum(batch.num_live * lane.shape.num_beams for lane in lanes for batch in lane.batches)

    def _drop_idle(self) -> None:
        """Frees the buffers of batches that have nothing to do, beyond the limit; the last used are kept."""
        idle = [
            (lane, batch)
            for lane in self._turn
            for batch in lane.batches
            if not (batch.num_requests or batch in lane.claimed or lane.num_waiting)
        ]
        left = MAX_IDLE_BYTES
        for lane, batch in reversed(idle):
            left -= batch.memory_bytes + batch.state_bytes + batch.map_bytes
            if left < 0:
                lane.batches.remove(batch)

    def _drop_forgotten(self) -> None:
        """Drops the lanes that have nothing to do and get nothing to do."""
        for key, lane in list(self._lanes.items()) if self._forgotten else ():
            if lane.runner in self._forgotten and not lane.num_waiting and not lane.num_busy:
                del self._lanes[key]
                self._turn.remove(lane)

    def _report_queue(self, runner: Runner) -> None:
        waiting = sum(lane.num_waiting for lane in self._turn if lane.runner is runner)
        self.observer.queued(runner.manifest.name, waiting)


def _cores(num_workers: int) -> list[int | None]:
    """A core for each worker, where they are as many: woken by the event loop or by each other they would often share
    one, while another idles. Where there are more cores, which others may use too, the system sees to it.
    """
    if not hasattr(os, "sched_getaffinity"):  # Linux has it
        return [None] * num_workers
    cores = sorted(os.sched_getaffinity(0))
    return [*cores] if len(cores) == num_workers else [None] * num_workers


def _groups(runner: Runner, tickets: Sequence[Ticket]) -> list[list[Ticket]]:
    """Those that are encoded together, in order."""
    groups: list[list[Ticket]] = []
    num_source = MAX_TOGETHER
    for ticket in tickets:
        length = runner.source_length(ticket.request.source)
        if num_source + length > MAX_TOGETHER:
            groups.append([])
            num_source = 0
        groups[-1].append(ticket)
        num_source += length
    return groups
