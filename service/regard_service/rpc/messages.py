"""Reads the messages of calls: after the layers that admit a call, and within a limit of time.

gRPC would read, decompress and parse a message before any layer sees the call. Methods that take one message are
therefore declared to it as taking a stream of bytes. Until a message is read here, no more of it is buffered than the
window of flow control.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc

from regard_service.errors import DeadlinePassed, InvalidInput
from regard_service.rpc.layers.layer import Behavior, Codec, Context, Handler

POLLS_PER_TIMEOUT = 4

Unread = Callable[[], Awaitable[Any]]
"""The request of a call that takes one message, as outer layers get it: reads and returns the message."""


class MessageReader:
    """Waits for the messages of calls, on one event loop.

    Nearly every message arrives with its call, and a timer for each would cost more than it is worth. Instead, one
    timer polls the calls that wait, while there are any.

    Args:
        timeout_s: the limit of the time until a call's message.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waiting: dict[asyncio.Task[Any], float] = {}  # start of the wait, oldest first
        self._late: set[asyncio.Task[Any]] = set()
        self._is_polling = False

    def reading(self, behavior: Behavior) -> Behavior:
        """Returns a behavior that takes an `Unread` and reads it."""

        async def read_and_run(unread: Unread, context: Context) -> Any:
            return await behavior(await self._within_timeout(unread), context)

        return read_and_run

    def grpc_handler(self, wrapped: Handler, deserialize: Codec) -> Handler:
        """Returns the handler of a method for gRPC. A method that takes a stream is returned as it is.

        Args:
            wrapped: takes an `Unread`.
            deserialize: turns the message's bytes into a message.
        """
        if wrapped.request_streaming:
            return wrapped
        behavior: Any = wrapped.unary_stream if wrapped.response_streaming else wrapped.unary_unary

        async def run(_: Any, context: Context) -> Any:
            return await behavior(_message_of(context, deserialize), context)

        make = grpc.stream_stream_rpc_method_handler
        if not wrapped.response_streaming:
            make = grpc.stream_unary_rpc_method_handler
        handler: Handler = make(run, None, wrapped.response_serializer)
        return handler

    async def _within_timeout(self, unread: Unread) -> Any:
        """Returns a call's message. Raises DeadlinePassed if none arrives in time."""
        loop = asyncio.get_running_loop()
        task = cast("asyncio.Task[Any]", asyncio.current_task())  # of this call
        self._waiting[task] = loop.time()
        if not self._is_polling:
            self._is_polling = True
            loop.call_later(self._timeout_s / POLLS_PER_TIMEOUT, self._poll)
        try:
            return await unread()
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            raise DeadlinePassed(f"no message came within {self._timeout_s:g} s") from None
        finally:
            self._waiting.pop(task, None)
            self._late.discard(task)

    def _poll(self) -> None:
        """Ends the waits that exceed the timeout."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - self._timeout_s
        for task, since in list(self._waiting.items()):
            if since > oldest:
                break
            del self._waiting[task]
            self._late.add(task)
            task.cancel()
        self._is_polling = bool(self._waiting)
        if self._is_polling:
            loop.call_later(self._timeout_s / POLLS_PER_TIMEOUT, self._poll)


def _message_of(context: Any, deserialize: Codec) -> Unread:
    """Returns the message of a gRPC call, unread."""

    async def read() -> Any:
        raw = await context.read()
        if raw is grpc.aio.EOF:
            raise InvalidInput.of("request", "is missing")
        return deserialize(raw)

    return read
