"""The worker threads: they ask the policy for work, carry it out, and return it.

The policy's decisions are the only shared state. They fall under one lock, which a worker keeps between returning one
work and asking for the next, so that no other worker takes its batch.
"""

import logging
import os
import threading
import time
import weakref
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from regard_service.engine.core.decode import groups
from regard_service.engine.core.observer import EngineObserver, Outcome
from regard_service.engine.core.opening import open_batch
from regard_service.engine.core.request import RequestState
from regard_service.engine.core.result import EngineResult, RequestUpdate
from regard_service.engine.core.rows import Encoded, Rows
from regard_service.engine.driver.replies import Outbox, Replies
from regard_service.engine.policy.decision import EncodeAhead, OpenBatch, StepBatch, Work
from regard_service.engine.policy.lane import BatchState, Lane
from regard_service.engine.policy.policy import BatchingPolicy
from regard_service.errors import DeadlinePassed, Draining, OutOfMemory, ServiceError, is_out_of_memory

# Idle batches keep their buffers up to this size together: opening a batch takes a millisecond or two, which only
# requests of small models would notice, and theirs are small.
MAX_IDLE_BYTES = 256 << 20

log = logging.getLogger(__name__)


class _BatchHasFailed(Exception):
    """Requests were encoded for a batch that has failed meanwhile, without them."""


@dataclass(eq=False)
class OpenedBatch:
    """A running batch, and the requests that other workers have encoded for it."""

    running: Rows
    arrived: list[Encoded] = field(default_factory=list)


class Workers:
    """Threads that run a policy's decisions. All methods but `close` and `wait_until_idle` need the lock.

    Args:
        lock: guards the policy.
    """

    def __init__(
        self, policy: BatchingPolicy, replies: Replies, observer: EngineObserver, lock: threading.Lock
    ) -> None:
        self._policy = policy
        self._replies = replies
        self._observer = observer
        self._lock = lock
        self._opened: weakref.WeakKeyDictionary[BatchState, OpenedBatch] = weakref.WeakKeyDictionary()
        self._at_work: set[Work] = set()
        self._again: dict[Work, set[RequestState]] = {}  # of failed works, what runs again
        self._last_work = time.monotonic()
        self._all_done = threading.Condition(lock)
        self._idle: list[
            threading.Condition
        ] = []  # a condition for each idle worker; the last to fall idle wakes first
        self.is_closed = False
        self._threads = [
            threading.Thread(target=self._work, args=(core,), name=f"engine-{n}", daemon=True)
            for n, core in enumerate(_cores(policy.config.num_workers))
        ]
        for thread in self._threads:
            thread.start()

    # Called by the engine, on event loops.

    def add(self, request: RequestState, lane: Lane) -> None:
        """Puts a request into its lane's queue and wakes a worker."""
        if not self._policy.num_active:
            self._last_work = time.monotonic()  # the engine was idle until now
        self._policy.submit(request, lane)
        self._report_queue(lane)
        self._wake_one()

    def withdraw(self, request: RequestState) -> None:
        """Ends a request whose caller has left, if it waits; a batch evicts it otherwise."""
        now = time.monotonic()
        lane = self._policy.withdraw(request, now)
        if lane is not None:
            self._replies.forget(request)
            self._report_queue(lane)
            self._observer.finished(lane.runner.manifest.name, request.interruption(now), 0, "queue")
            self._notify_if_done()
        self._policy.drop_unused()

    def stalled_s(self, now: float) -> float:
        """See `Engine.stalled_s`."""
        if not self._policy.num_active:
            return 0.0
        return now - min((work.since for work in self._at_work), default=self._last_work)

    def batches(self) -> list[Rows]:
        """All running batches, idle ones included."""
        return [self._opened[batch].running for lane in self._policy.lanes for batch in lane.batches]

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Waits for all requests to end; False if the time was too short. Takes the lock."""
        with self._lock:
            return self._all_done.wait_for(lambda: not self._policy.num_active, timeout_s)

    def close(self) -> None:
        """Ends the threads, then all requests. Takes the lock. Called again, it does nothing."""
        with self._lock:
            if self.is_closed:
                return
            self.is_closed = True
            while self._idle:
                self._wake_one()
        for thread in self._threads:
            thread.join()
        left = [request for lane in self._policy.lanes for request in lane.queue]
        for opened in self._opened.values():
            left += opened.running.requests
            left += [request for encoded in opened.arrived for request in encoded.requests]
        self._replies.fail(left, Draining("the server is shutting down"))

    # A worker's life.

    def _work(self, core: int | None) -> None:
        if core is not None:
            with suppress(OSError):  # a sandbox may forbid it, which costs no more than some time
                os.sched_setaffinity(0, {core})  # of this thread
        bell, outbox = threading.Condition(self._lock), Outbox(self._replies)
        with self._lock:
            while (work := self._next(bell, outbox)) is not None:
                opened = self._opened[work.batch]
                arrived: list[Encoded] = []
                if isinstance(work, StepBatch):
                    arrived, opened.arrived = opened.arrived, arrived
                with self._unlocked():
                    updates = self._run(work, opened, arrived, outbox)
                    outbox.hold(updates)
                    if not opened.running.num_live:
                        outbox.send()  # there may be nothing to compute before callers hear of it
                self._finish(work, opened, updates, has_joined=bool(work.admitted or arrived))
                del work, opened, arrived, updates  # an idle worker must not keep a retired model in memory
        outbox.send()

    @contextmanager
    def _unlocked(self) -> Iterator[None]:
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()

    def _next(self, bell: threading.Condition, outbox: Outbox) -> Work | None:
        """Waits for work, having delivered all updates; None when the engine closes."""
        while not self.is_closed:
            work = self._decide()
            if work is not None:
                self._at_work.add(work)
                self._last_work = work.since
                if self._idle and self._policy.has_work(work.since):
                    self._wake_one()
                return work
            outbox.send()
            self._idle.append(bell)
            if not bell.wait(self._policy.keeps_worker_s(time.monotonic())) and bell in self._idle:
                self._idle.remove(bell)  # nobody woke it
        return None

    def _decide(self) -> Work | None:
        """The policy's next work, with its batch open."""
        no_memory: set[Lane] = set()
        while True:
            decision = self._policy.decide(time.monotonic(), len(self._idle), no_memory)
            for lane, request in decision.expired:
                self._expire(lane, request)
            if not isinstance(decision.work, OpenBatch):
                if decision.work is not None and decision.work.admitted:
                    self._report_queue(decision.work.lane)
                return decision.work
            if not self._open(decision.work.lane):
                no_memory.add(decision.work.lane)

    def _expire(self, lane: Lane, request: RequestState) -> None:
        """Ends a request that nobody waits for any longer."""
        reason: Outcome = "cancelled" if request.has_left and not request.is_overdue(time.monotonic()) else "deadline"
        self._observer.finished(lane.runner.manifest.name, reason, 0, "queue")
        self._report_queue(lane)
        error = DeadlinePassed("the deadline passed in the queue, or would before the end")
        self._replies.fail([request], error)
        self._notify_if_done()

    def _open(self, lane: Lane) -> bool:
        """Opens one more batch. Where there is no memory for it, running batches must do; without any, the lane's
        requests end.
        """
        try:
            running = open_batch(lane.runner, lane.shape, self._observer)
        except MemoryError:
            log.warning("there is no memory for another batch of model %r", lane.runner.manifest.name)
            refused = self._policy.refuse_waiting(lane, time.monotonic())
            for _ in refused:
                self._observer.finished(lane.runner.manifest.name, "failed", 0, "queue")
            self._report_queue(lane)
            self._replies.fail(refused, OutOfMemory())
            self._notify_if_done()
            return False
        self._opened[self._policy.opened(lane)] = OpenedBatch(running)
        return True

    def _run(self, work: Work, opened: OpenedBatch, arrived: Sequence[Encoded], outbox: Outbox) -> list[RequestUpdate]:
        """Encodes and steps; a failure costs the requests of this work's batch and no others.

        Sends what the outbox holds before the first graph runs.
        """
        before: list[RequestUpdate] = []
        try:
            if work.admitted:
                outbox.send()
            if isinstance(work, EncodeAhead):
                self._hand_over(work, opened, list(self._encoded(work, opened.running)))
                return []
            for encoded in chain(arrived, self._encoded(work, opened.running)):
                opened.running.join(encoded)
            outbox.send()
            before = opened.running.evict()
            return before + self._step(work, opened.running)
        except Exception as error:
            log.exception("a batch of model %r failed", work.lane.runner.manifest.name)
            lost = self._lost(work, opened, arrived)
            self._again[work] = lost if isinstance(error, _BatchHasFailed) else self._innocent(lost)
            lost = lost - self._again[work]
            told = OutOfMemory() if is_out_of_memory(error) else ServiceError("the engine failed on this input")
            for request in lost:
                self._observer.finished(work.lane.runner.manifest.name, "failed", 0, request.phase)
            return before + [RequestUpdate(request, told) for request in lost]

    def _step(self, work: StepBatch, batch: Rows) -> list[RequestUpdate]:
        """Steps a batch as often as its budget allows."""
        lane, began = work.lane, time.monotonic()
        num_slots, num_steps = batch.num_live * lane.shape.num_beams, batch.num_steps
        budget = self._policy.step_budget(work, partial(self._others_wait, work), time.monotonic)
        updates = batch.step(budget.has_more)
        now = time.monotonic()
        lane.pace.stepped(num_slots, batch.num_steps - num_steps, now - began)
        lane.pace.visited(now - work.since)
        for update in updates:
            if isinstance(update.news, EngineResult):
                lane.pace.finished(update.request.num_steps)
        return updates

    def _encoded(self, work: Work, batch: Rows) -> Iterator[Encoded]:
        """Encodes the admitted requests group by group: one group joins the batch before the next is encoded."""
        runner = work.lane.runner
        for requests in groups(runner, work.admitted):
            num_source = sum(runner.source_length(request.request.source) for request in requests)
            began = time.monotonic()
            encoded = batch.encode(requests, on_all_cores=self._others_are_idle())
            work.lane.pace.encoded(len(requests), num_source, time.monotonic() - began)
            yield encoded

    def _others_are_idle(self) -> bool:
        """Whether no other worker computes or is about to wake; needs no lock."""
        return len(self._idle) == len(self._threads) - 1 and not self._policy.admission.waiting.num_requests

    def _others_wait(self, work: StepBatch) -> bool:
        """Whether a batch in another lane is next. Takes the lock, but where the lane is alone."""
        if self._policy.is_alone(work.lane):
            return False
        with self._lock:
            return self._policy.others_are_next(work, time.monotonic())

    def _hand_over(self, work: EncodeAhead, opened: OpenedBatch, encoded: Sequence[Encoded]) -> None:
        """Leaves encoded requests to the worker that steps the batch next. Takes the lock."""
        with self._lock:
            if work.batch not in work.lane.batches:
                raise _BatchHasFailed("the batch that they were encoded for has failed")
            opened.arrived += encoded
            self._policy.arrived(work)

    def _lost(self, work: Work, opened: OpenedBatch, arrived: Sequence[Encoded]) -> set[RequestState]:
        """The requests that a failed work costs: those it encoded, and if it stepped the batch, all of the batch.

        Takes the lock.
        """
        lost = set(work.admitted)
        if isinstance(work, StepBatch):
            with self._lock:
                self._policy.drop_batch(work.lane, work.batch)
                lost.update(opened.running.requests)
                for encoded in (*arrived, *opened.arrived):
                    lost.update(encoded.requests)
                opened.arrived.clear()
            opened.running.clear()
        return lost

    @staticmethod
    def _innocent(lost: set[RequestState]) -> set[RequestState]:
        """Those of a failed batch that may be well without the others: all, if there were several."""
        return {request for request in lost if not request.is_alone} if len(lost) > 1 else set()

    def _run_again(self, work: Work, requests: Collection[RequestState]) -> None:
        """Puts requests back into the queue, each for a batch of its own."""
        for request in requests:
            request.run_again_alone()
            self.add(request, self._policy.lane(work.lane.runner, request.request, is_alone=True))

    def _finish(self, work: Work, opened: OpenedBatch, updates: Sequence[RequestUpdate], *, has_joined: bool) -> None:
        """Returns work to the policy, and releases buffers that have become idle."""
        self._at_work.discard(work)
        again = self._again.pop(work, set())
        ended = [*(update.request for update in updates if update.is_last), *again]
        num_live = opened.running.num_live
        self._policy.finish(work, ended, num_live, time.monotonic())
        self._run_again(work, again)
        if ended or has_joined:
            self._notify_if_done()
            self._observer.live(work.lane.runner.manifest.name, self._policy.num_live_slots(work.lane.runner))
        if not num_live:
            self._release_idle()
            self._policy.drop_unused()

    def _release_idle(self) -> None:
        """Drops idle batches beyond the limit on their memory, longest unused first."""
        left = MAX_IDLE_BYTES
        for lane, batch in reversed(self._policy.idle_batches()):
            running = self._opened[batch].running
            left -= running.encoded_bytes + running.state_bytes + running.map_bytes
            if left < 0:
                self._policy.drop_batch(lane, batch)

    def _wake_one(self) -> None:
        """Wakes the worker whose caches are warmest."""
        if self._idle:
            self._idle.pop().notify()

    def _notify_if_done(self) -> None:
        if not self._policy.num_active:
            self._all_done.notify_all()

    def _report_queue(self, lane: Lane) -> None:
        self._observer.queued(lane.runner.manifest.name, self._policy.num_waiting(lane.runner))


def _cores(num_workers: int) -> list[int | None]:
    """A core for each worker, where there are exactly as many: woken by the event loop or by each other, workers would
    often share one while another idles. Where there are more cores, the system places them.
    """
    if not hasattr(os, "sched_getaffinity"):  # Linux has it
        return [None] * num_workers
    cores = sorted(os.sched_getaffinity(0))
    return [*cores] if len(cores) == num_workers else [None] * num_workers
