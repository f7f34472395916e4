"""Runs a unary call of an HTTP request through the layers of its method."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import grpc
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from regard_service.errors import InvalidInput
from regard_service.http.context import HttpContext
from regard_service.rpc.layers.layer import Handler
from regard_service.rpc.layers.request_log import REQUEST_ID

TIMEOUT_HEADER = "x-request-timeout"  # in seconds
CLIENT_LEFT = 499

Message = TypeVar("Message")


class UnreadMessage(Generic[Message]):
    """A request whose message is read later, by the innermost layer.

    Attributes:
        has_left: whether the client closed the connection before it had sent the message.
    """

    def __init__(self, request: Request, read: Callable[[], Awaitable[Message]]) -> None:
        self._request = request
        self._read = read
        self._was_read = asyncio.Event()
        self.has_left = False

    async def read(self) -> Message:
        """Returns the message. Cancels the call if the client leaves before it has sent the whole message."""
        try:
            message = await self._read()
        except ClientDisconnect:
            self.has_left = True
            raise asyncio.CancelledError from None
        self._was_read.set()
        return message

    async def wait_until_client_leaves(self) -> None:
        """Returns once the client has closed the connection; until the message is read, reading reports that."""
        await self._was_read.wait()
        while (await self._request.receive())["type"] != "http.disconnect":
            pass


async def run_unary(
    handler: Handler,
    message: UnreadMessage[Any],
    context: HttpContext,
    respond: Callable[[Any], Awaitable[Response]],
    refuse: Callable[[HttpContext], Response],
) -> Response:
    """Runs a call. A client that leaves cancels it, which frees its slots.

    Args:
        respond: makes the response of what the method returns.
        refuse: makes the response of an aborted call.
    """
    behavior: Any = handler.unary_unary
    call = asyncio.ensure_future(behavior(message.read, context))
    leaving = asyncio.ensure_future(message.wait_until_client_leaves())
    try:
        await asyncio.wait((call, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not call.done():
            return Response(status_code=CLIENT_LEFT)
        return await respond(call.result())
    except grpc.aio.AbortError:
        return refuse(context)
    finally:
        for task in (call, leaving):
            task.cancel()
        await asyncio.gather(call, leaving, return_exceptions=True)


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
