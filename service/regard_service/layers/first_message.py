"""How long a call may be open before its message comes.

gRPC bounds this nowhere: whoever opens calls, answers pings and sends no message would keep them for as long as the
connection. So what takes one message is given to gRPC as if it took a stream of them, and the first is waited for here.
"""

import asyncio
from typing import Any, cast

import grpc

from regard_service.errors import DeadlinePassed, InvalidInput
from regard_service.layers.errors import Malformed
from regard_service.layers.layer import Answer, Context, Handler

NUM_LOOKS = 4  # while the time of a call that waits runs out


class FirstMessage:
    """Waits for the messages of calls, on one event loop.

    Nearly every message is there as soon as its call is, so that a timer for each would cost more than it is worth:
    those that wait are looked at now and then, as long as there are any.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waiting: dict[asyncio.Task[Any], float] = {}  # since when, the longest first
        self._late: set[asyncio.Task[Any]] = set()
        self._looks = False

    def handler(self, handler: Handler) -> Handler:
        """The same method for gRPC; one that takes a stream as it is."""
        if handler.request_streaming:
            return handler
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(
                self._reading(handler.unary_stream), handler.request_deserializer, handler.response_serializer
            )
        return grpc.stream_unary_rpc_method_handler(
            self._reading(handler.unary_unary), handler.request_deserializer, handler.response_serializer
        )

    def _reading(self, answer: Any) -> Answer:
        async def read_and_answer(_: Any, context: Context) -> Any:
            return await answer(await self._read(context), context)

        return read_and_answer

    async def _read(self, context: Any) -> Any:
        """A call's message; what stands for it if none comes."""
        loop = asyncio.get_running_loop()
        task = cast("asyncio.Task[Any]", asyncio.current_task())  # gRPC's, of this call
        self._waiting[task] = loop.time()
        if not self._looks:
            self._looks = True
            loop.call_later(self._timeout_s / NUM_LOOKS, self._look)
        try:
            message = await context.read()
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            return Malformed(DeadlinePassed(f"no message came within {self._timeout_s:g} s"))
        finally:
            self._waiting.pop(task, None)
            self._late.discard(task)
        return Malformed(InvalidInput.of("request", "is missing")) if message is grpc.aio.EOF else message

    def _look(self) -> None:
        """Ends the wait of those who have waited for too long."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - self._timeout_s
        for task, since in list(self._waiting.items()):
            if since > oldest:
                break
            del self._waiting[task]
            self._late.add(task)
            task.cancel()
        self._looks = bool(self._waiting)
        if self._looks:
            loop.call_later(self._timeout_s / NUM_LOOKS, self._look)
