"""The requests of a stream: they run side by side, and their tokens are read in the order of the text."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from regard_service.engine.core.request import EngineRequest
from regard_service.engine.core.result import CommittedToken, EngineResult
from regard_service.engine.driver.permit import Permit


class SentRequests:
    """Requests that run until the block ends."""

    def __init__(self, permit: Permit, requests: Sequence[EngineRequest]) -> None:
        self._permit = permit
        self._requests = requests
        self._arrived: list[asyncio.Queue[list[CommittedToken] | None]] = [asyncio.Queue() for _ in requests]
        self._running: list[asyncio.Task[EngineResult]] = []

    async def __aenter__(self) -> Self:
        self._running = self._permit.start_all(self._requests, [queue.put_nowait for queue in self._arrived])
        for running, queue in zip(self._running, self._arrived, strict=True):
            running.add_done_callback(partial(_end, queue))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for running in self._running:
            running.cancel()
            # Nobody reads the results of the others once one has failed.
            running.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def tokens(self, index: int) -> AsyncIterator[list[CommittedToken]]:
        """Yields a request's tokens as they become certain, until it has ended."""
        while (tokens := await self._arrived[index].get()) is not None:
            yield tokens

    async def result(self, index: int) -> EngineResult:
        """Returns the result of a request; raises what `Permit.run` raises."""
        return await self._running[index]


def _end(tokens: "asyncio.Queue[list[CommittedToken] | None]", _: object) -> None:
    tokens.put_nowait(None)
