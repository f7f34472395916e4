"""Permits: leave for a call's requests to enter the queue, taken before their inputs are read and given back."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from regard_service.engine.core.request import EngineRequest
from regard_service.engine.core.result import EngineResult
from regard_service.engine.driver.replies import OnTokens
from regard_service.engine.runtime.runner import Runner

# Requests of one call that are in the engine at a time, so that a text of very many parts does not fill the queue.
MAX_REQUESTS_AT_ONCE = 128


class Issuer(Protocol):
    """What a permit needs of the engine that issued it."""

    def extend(self, permit: "Permit", requests: Sequence[EngineRequest], num_at_once: int) -> None:
        """Checks requests whose inputs have been read, and adapts the permit's places."""

    def give_back(self, permit: "Permit") -> None:
        """Frees the permit's places."""

    async def run(self, permit: "Permit", request: EngineRequest, on_tokens: OnTokens | None) -> EngineResult:
        """Runs a request to its end, in a place of the permit."""


class Permit:
    """Places in the queue for the requests of one call.

        with engine.permit(runner, outline, num_inputs) as permit:
            requests = ...  # read the inputs
            permit.extend(requests)
            results = await permit.run_all(requests)

    A call that holds a permit is not refused for want of room, also while the server drains.

    Attributes:
        num_places: requests that may still enter the queue without another check; the engine changes it.
    """

    def __init__(self, issuer: Issuer, runner: Runner, caller: str, num_places: int) -> None:
        self._issuer = issuer
        self.runner = runner
        self.caller = caller
        self.num_places = num_places

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives back the places that no request has taken."""
        if self.num_places:
            self._issuer.give_back(self)

    def extend(self, requests: Sequence[EngineRequest]) -> None:
        """Makes the permit one for these requests, whose inputs have been read.

        Raises:
            Overloaded: there is no room for them.
            DeadlineUnreachable: they would end after their deadline, even without the usual slowness.
        """
        self._issuer.extend(self, requests, MAX_REQUESTS_AT_ONCE)

    async def run(self, request: EngineRequest, on_tokens: OnTokens | None = None) -> EngineResult:
        """Runs a request to its end. Cancelling the caller frees its slots before the next step.

        Raises:
            Draining: the engine has closed.
            DeadlinePassed: the request's deadline passed, waiting or decoding.
            OutOfMemory, ServiceError: its batch failed.
        """
        return await self._issuer.run(self, request, on_tokens)

    def start_all(
        self, requests: Sequence[EngineRequest], listeners: Sequence[OnTokens] = ()
    ) -> "list[asyncio.Task[EngineResult]]":
        """Starts all requests, in order; only so many are in the engine at once as the permit has places.

        Args:
            listeners: receive the tokens of each request; none for results alone.
        """
        places = asyncio.Semaphore(max(1, self.num_places))

        async def run(request: EngineRequest, on_tokens: OnTokens | None) -> EngineResult:
            async with places:
                return await self.run(request, on_tokens)

        heard: Sequence[OnTokens | None] = listeners or [None] * len(requests)
        return [asyncio.ensure_future(run(*each)) for each in zip(requests, heard, strict=True)]

    async def run_all(self, requests: Sequence[EngineRequest]) -> list[EngineResult]:
        """The results of all requests, in order; where one fails, the others are cancelled."""
        if len(requests) == 1:  # most calls; a task would only take time
            return [await self.run(requests[0])]
        tasks = self.start_all(requests)
        try:
            return await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            raise
