"""Limits the time until a call's first message.

gRPC has no limit: a client that opens calls, answers pings and sends no message would hold them for as long as its
connection. Methods that take one message are therefore declared to gRPC as taking a stream, whose first message is
awaited here.
"""

import asyncio
from typing import Any, cast

import grpc

from regard_service.errors import DeadlinePassed, InvalidInput, OutOfMemory
from regard_service.rpc.layers.error_status import Malformed
from regard_service.rpc.layers.layer import Behavior, Context, Handler

POLLS_PER_TIMEOUT = 4


class MessageTimeout:
    """Waits for the messages of calls, on one event loop.

    Nearly every message arrives with its call, and a timer for each would cost more than it is worth. Instead, one
    timer polls the calls that wait, while there are any.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waiting: dict[asyncio.Task[Any], float] = {}  # start of the wait, oldest first
        self._late: set[asyncio.Task[Any]] = set()
        self._is_polling = False

    def handler(self, handler: Handler) -> Handler:
        """Returns the handler of the same method for gRPC. A method that takes a stream is returned as it is."""
        if handler.request_streaming:
            return handler
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(
                self._with_message(handler.unary_stream), handler.request_deserializer, handler.response_serializer
            )
        return grpc.stream_unary_rpc_method_handler(
            self._with_message(handler.unary_unary), handler.request_deserializer, handler.response_serializer
        )

    def _with_message(self, behavior: Any) -> Behavior:
        async def read_and_run(_: Any, context: Context) -> Any:
            return await behavior(await self._read(context), context)

        return read_and_run

    async def _read(self, context: Any) -> Any:
        """Returns a call's message, or a Malformed if none arrives."""
        loop = asyncio.get_running_loop()
        task = cast("asyncio.Task[Any]", asyncio.current_task())  # gRPC's task of this call
        self._waiting[task] = loop.time()
        if not self._is_polling:
            self._is_polling = True
            loop.call_later(self._timeout_s / POLLS_PER_TIMEOUT, self._poll)
        try:
            message = await context.read()
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            return Malformed(DeadlinePassed(f"no message came within {self._timeout_s:g} s"))
        except MemoryError:
            return Malformed(OutOfMemory())
        finally:
            self._waiting.pop(task, None)
            self._late.discard(task)
        return Malformed(InvalidInput.of("request", "is missing")) if message is grpc.aio.EOF else message

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
