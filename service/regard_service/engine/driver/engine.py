"""The engine as event loops see it: permits and requests in, results out; workers compute behind it."""

import asyncio
import threading
import time
from collections.abc import Sequence

from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.request import EngineRequest, RequestState
from regard_service.engine.core.result import EngineResult
from regard_service.engine.core.rows import Rows
from regard_service.engine.driver.permit import Permit
from regard_service.engine.driver.replies import OnTokens, Replies
from regard_service.engine.driver.workers import Workers
from regard_service.engine.policy.policy import BatchingPolicy, EngineConfig
from regard_service.engine.runtime.runner import Runner
from regard_service.errors import Draining


class Engine:
    """Takes requests from event loops and runs them on worker threads.

    Nothing here computes on an event loop: the policy decides, under one lock, and workers carry out.
    """

    def __init__(self, config: EngineConfig, observer: EngineObserver | None = None) -> None:
        self.config = config
        self._observer = observer or EngineObserver()
        self._policy = BatchingPolicy(config)
        self._replies = Replies()
        self._lock = threading.Lock()
        self._workers = Workers(self._policy, self._replies, self._observer, self._lock)
        self._is_draining = False

    # Requests.

    def permit(self, runner: Runner, outline: EngineRequest, num_requests: int) -> Permit:
        """Takes a permit for requests whose inputs have not been read.

        Args:
            outline: one of the requests; its source is not read.
            num_requests: how many of them will wait at once.

        Raises:
            Overloaded: too much waits.
            DeadlineUnreachable: the requests would end after their deadline, whatever their inputs are.
            Draining: the server is shutting down.
        """
        with self._lock:
            self._refuse_if_draining()
            admission = self._policy.admission
            admission.check_unread(outline, num_requests, runner, time.monotonic())
            admission.waiting.reserve(outline.caller, num_requests)
        return Permit(self, runner, outline.caller, num_requests)

    async def generate(self, runner: Runner, request: EngineRequest, on_tokens: OnTokens | None = None) -> EngineResult:
        """Runs one request to its end, with a permit of its own.

        Raises:
            Overloaded, DeadlineUnreachable, Draining: it is refused.
            DeadlinePassed, OutOfMemory, ServiceError: as `Permit.run`.
        """
        with self.permit_read(runner, (request,), 1) as permit:
            return await self.run(permit, request, on_tokens)

    def permit_read(self, runner: Runner, requests: Sequence[EngineRequest], num_at_once: int) -> Permit:
        """Takes a permit for requests whose inputs are at hand; arguments and errors as of `permit`."""
        with self._lock:
            self._refuse_if_draining()
            incoming = [(self._policy.lane(runner, request), request) for request in requests]
            num_places = min(num_at_once, len(requests))
            self._policy.admission.check(incoming, num_places, time.monotonic())
            self._policy.admission.waiting.reserve(requests[0].caller, num_places)
        return Permit(self, runner, requests[0].caller, num_places)

    def extend(self, permit: Permit, requests: Sequence[EngineRequest], num_at_once: int) -> None:
        """See `Permit.extend`."""
        with self._lock:
            incoming = [(self._policy.lane(permit.runner, request), request) for request in requests]
            admission = self._policy.admission
            num_places = admission.num_places(incoming, min(num_at_once, len(requests)), permit.num_places)
            admission.check(incoming, num_places, time.monotonic(), num_reserved=permit.num_places, was_read=True)
            if num_places != permit.num_places:
                admission.waiting.reserve(permit.caller, num_places - permit.num_places)
                permit.num_places = num_places

    def give_back(self, permit: Permit) -> None:
        """See `Permit.close`."""
        with self._lock:
            self._policy.admission.waiting.reserve(permit.caller, -permit.num_places)
            permit.num_places = 0

    async def run(self, permit: Permit, request: EngineRequest, on_tokens: OnTokens | None) -> EngineResult:
        """See `Permit.run`."""
        state = RequestState(request, time.monotonic(), is_streamed=on_tokens is not None)
        done = self._submit(permit, state, on_tokens)
        try:
            return await done
        except asyncio.CancelledError:
            self._cancel(state)
            raise

    def _submit(
        self, permit: Permit, state: RequestState, on_tokens: OnTokens | None
    ) -> "asyncio.Future[EngineResult]":
        """Puts a request into the queue, in a place of the permit if it has one left."""
        with self._lock:
            if self._workers.is_closed:
                raise Draining("the server is shutting down")
            done = self._replies.open(state, on_tokens)
            lane = self._policy.lane(permit.runner, state.request)
            if permit.num_places:
                permit.num_places -= 1
                self._policy.admission.waiting.reserve(permit.caller, -1)
            self._workers.add(state, lane)
        return done

    def _cancel(self, state: RequestState) -> None:
        """Ends a request whose caller has left: at once if it waits, else before the next step."""
        state.has_left = True
        with self._lock:
            self._workers.withdraw(state)

    def _refuse_if_draining(self) -> None:
        if self._is_draining:
            raise Draining("the server is shutting down")

    # Models and the engine's life.

    def retire(self, runner: Runner) -> None:
        """Releases a model's buffers when its last request ends; the model gets no more requests."""
        with self._lock:
            self._policy.retire(runner)

    def stalled_s(self) -> float:
        """How long the slowest worker has been at its work; 0 if there is nothing to do.

        Where requests wait and no worker has work: how long this has been so.
        """
        with self._lock:
            return self._workers.stalled_s(time.monotonic())

    @property
    def num_active(self) -> int:
        """Requests that wait or run."""
        return self._policy.num_active

    def batches(self) -> list[Rows]:
        """All running batches, idle ones included."""
        with self._lock:
            return self._workers.batches()

    async def drain(self, timeout_s: float) -> bool:
        """Issues no more permits and waits for all requests to end; False if the time was too short."""
        self._is_draining = True
        return await asyncio.to_thread(self._workers.wait_until_idle, timeout_s)

    def close(self) -> None:
        """Stops the workers; requests that still wait or run end with Draining."""
        self._is_draining = True
        self._workers.close()
