"""How callers hear of their requests: futures and callbacks on their event loops."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from regard_service.engine.core.request import RequestState
from regard_service.engine.core.result import CommittedToken, EngineResult, RequestUpdate
from regard_service.errors import ServiceError

OnTokens = Callable[[list[CommittedToken]], None]
"""Runs on the caller's event loop, as tokens become certain."""


@dataclass(frozen=True)
class _Reply:
    """Where a request's updates go."""

    done: "asyncio.Future[EngineResult]"
    on_tokens: OnTokens | None

    def receive(self, update: RequestUpdate) -> None:
        """Runs on the caller's event loop."""
        if self.done.done():
            return
        if isinstance(update.news, EngineResult):
            self.done.set_result(update.news)
        elif isinstance(update.news, ServiceError):
            self.done.set_exception(update.news)
        elif self.on_tokens is not None:
            self.on_tokens(update.news)


class Replies:
    """The replies that callers wait for. `open` runs on an event loop, `deliver` on any thread."""

    def __init__(self) -> None:
        self._replies: dict[RequestState, _Reply] = {}

    def open(self, request: RequestState, on_tokens: OnTokens | None) -> "asyncio.Future[EngineResult]":
        """The future of a request's result, on the running event loop."""
        done: asyncio.Future[EngineResult] = asyncio.get_running_loop().create_future()
        self._replies[request] = _Reply(done, on_tokens)
        return done

    def deliver(self, updates: Iterable[RequestUpdate]) -> None:
        """Hands updates to their callers, waking each event loop once."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Reply, RequestUpdate]]] = {}
        for update in updates:
            reply = self._replies.pop(update.request) if update.is_last else self._replies[update.request]
            by_loop.setdefault(reply.done.get_loop(), []).append((reply, update))
        for loop, group in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_receive, group)

    def fail(self, requests: Iterable[RequestState], error: ServiceError) -> None:
        """Ends requests with an error."""
        self.deliver([RequestUpdate(request, error) for request in requests])

    def forget(self, request: RequestState) -> None:
        """Drops the reply of a request that ended in the queue, whose caller has left."""
        self._replies.pop(request, None)


class Outbox:
    """A worker's updates, held back until it computes and releases the interpreter.

    An event loop that wakes at once would take the interpreter from the worker before its next step has begun.
    """

    def __init__(self, replies: Replies) -> None:
        self._replies = replies
        self._held: list[RequestUpdate] = []

    def hold(self, updates: Sequence[RequestUpdate]) -> None:
        """Keeps updates for the next `send`."""
        self._held += updates

    def send(self) -> None:
        """Delivers what is held."""
        if self._held:
            held, self._held = self._held, []
            self._replies.deliver(held)


def _receive(group: Sequence[tuple[_Reply, RequestUpdate]]) -> None:
    for reply, update in group:
        reply.receive(update)
