"""Runs a unary call of an HTTP request through the layers of its method."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import grpc
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from regard_service.errors import InvalidInput
from regard_service.http.connections import connection_of
from regard_service.http.context import HttpContext
from regard_service.rpc.layers.layer import Handler
from regard_service.rpc.layers.request_log import REQUEST_ID

TIMEOUT_HEADER = "x-request-timeout"  # in seconds
CLIENT_LEFT = 499

Message = TypeVar("Message")


class UnreadMessage(Generic[Message]):
    """A request whose message is read later, by the innermost layer.

    Attributes:
        has_left: whether the client closed the connection before the call ended.
    """

    def __init__(self, request: Request, read: Callable[[], Awaitable[Message]]) -> None:
        self._connection = connection_of(request.scope)
        self._read = read
        self._task: asyncio.Task[Any] | None = None
        self.has_left = False

    async def read(self) -> Message:
        """Returns the message. Cancels the call if the client leaves before it has sent the whole message."""
        try:
            message = await self._read()
        except ClientDisconnect:
            self.has_left = True
            raise asyncio.CancelledError from None
        if self._task is not None and self._connection is not None:
            self._connection.watch(self._leave)
        return message

    @contextmanager
    def cancelling(self, task: "asyncio.Task[Any] | None") -> Iterator[None]:
        """Cancels a task if the client leaves within the block. Reading reports it until the message is read."""
        self._task = task
        try:
            yield
        finally:
            self._task = None
            if self._connection is not None:
                self._connection.watch(None)

    def _leave(self) -> None:
        self.has_left = True
        if self._task is not None:
            self._task.cancel()


async def run_unary(
    handler: Handler,
    message: UnreadMessage[Any],
    context: HttpContext,
    respond: Callable[[Any], Awaitable[Response]],
    refuse: Callable[[HttpContext], Response],
) -> Response:
    """Runs a call in the task of its request. A client that leaves cancels it, which frees its slots.

    Args:
        respond: makes the response of what the method returns.
        refuse: makes the response of an aborted call.
    """
    behavior: Any = handler.unary_unary
    try:
        with message.cancelling(asyncio.current_task()):
            answer = await behavior(message.read, context)
    except grpc.aio.AbortError:
        return refuse(context)
    except asyncio.CancelledError:
        if not message.has_left:
            raise
        return Response(status_code=CLIENT_LEFT)
    return await respond(answer)


def context_of(request: Request) -> HttpContext:
    """Returns a call's context. Raises InvalidInput if the timeout is not a positive number."""
    given = request.headers.get(TIMEOUT_HEADER)
    try:
        timeout_s = None if given is None else float(given)
    except ValueError:
        timeout_s = -1.0
    if timeout_s is not None and not 0 < timeout_s < float("inf"):
        raise InvalidInput.of(TIMEOUT_HEADER, f"must be a number of seconds above 0; it is {given!r}")
    client = request.client
    peer = "unknown" if client is None else f"{'ipv6' if ':' in client.host else 'ipv4'}:{client.host}:{client.port}"
    return HttpContext(request.headers.items(), peer, timeout_s)


def id_header(context: HttpContext) -> dict[str, str]:
    """Returns the header of a response that has the call's id."""
    trailers = dict(context.trailing_metadata())
    return {REQUEST_ID: trailers[REQUEST_ID]} if REQUEST_ID in trailers else {}
