"""Reads the messages of calls, and watches that answers are read: both within limits of time and memory.

gRPC would read, decompress and parse a message before any layer sees the call. Methods that take one message are
therefore declared to it as taking a stream of bytes. Until a message is read here, no more of it is buffered than the
window of flow control.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import grpc

from regard_service.auth.caller import current_caller
from regard_service.calls.inbound import Inbound
from regard_service.calls.present import PresentCallers
from regard_service.errors import DeadlinePassed, InvalidInput, Overloaded, ServiceError
from regard_service.rpc.connections import close_connection
from regard_service.rpc.layers.layer import Behavior, Codec, Context, Handler
from regard_service.rpc.memory_pressure import MemoryPressure
from regard_service.rpc.packed_messages import unpacked

POLL_INTERVAL_S = 0.25
SLOW_AFTER_S = 0.25  # messages of which less has arrived by then give way where memory is short
UNREAD_AFTER_S = 2.0  # answers likewise

Unread = Callable[[], Awaitable[Any]]
"""The request of a call that takes one message, as outer layers get it: reads and returns the message."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MessageLimits:
    """The limits of messages on their way.

    Attributes:
        timeout_s: until a call's message has arrived.
        max_call_s: until a client has read the answer, but at least `timeout_s` after the answer is there. Then its
            connection is closed.
        pressure: tells when slow messages and unread answers have to go earlier; None: never.
        num_tolerated: slow messages, and unread answers, that never have to: those that fit into the memory for them.
        max_bytes: of a message, unpacked.
    """

    timeout_s: float
    max_call_s: float = 600.0
    pressure: MemoryPressure | None = None
    num_tolerated: int = 8
    max_bytes: int = 32 * 2**20


class _Arriving(NamedTuple):
    since: float
    caller: str


class _Leaving(NamedTuple):
    since: float
    until: float
    context: Context

    @property
    def peer(self) -> str:
        """The connection; gRPC takes microseconds to name it, which hardly any call needs."""
        peer: str = self.context.peer()
        return peer


class Messages:
    """The messages of calls on one event loop: those that arrive, and the answers that leave.

    Nearly every message arrives with its call, and a timer for each would cost more than it is worth. Instead, one
    timer polls the calls that wait, while there are any.
    """

    def __init__(self, limits: MessageLimits, present: PresentCallers) -> None:
        self._limits = limits
        self._inbound = Inbound(present)
        self._arriving: dict[asyncio.Task[Any], _Arriving] = {}  # oldest first
        self._leaving: dict[asyncio.Task[Any], _Leaving] = {}  # oldest first
        self._ended: dict[asyncio.Task[Any], ServiceError] = {}
        self._is_polling = False

    def reading(self, behavior: Behavior) -> Behavior:
        """Returns a behavior that takes an `Unread` and reads it."""

        async def read_and_run(unread: Unread, context: Context) -> Any:
            return await behavior(await self._arrived(unread), context)

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
        read = partial(_read, deserialize=deserialize, max_bytes=self._limits.max_bytes, inbound=self._inbound)

        async def run(_: Any, context: Context) -> Any:
            begin = asyncio.get_running_loop().time()
            try:
                return await behavior(partial(read, context), context)
            finally:
                self._leave(context, begin)

        make = grpc.stream_stream_rpc_method_handler
        if not wrapped.response_streaming:
            make = grpc.stream_unary_rpc_method_handler
        handler: Handler = make(run, None, wrapped.response_serializer)
        return handler

    async def _arrived(self, unread: Unread) -> Any:
        """Returns a call's message.

        Raises:
            DeadlinePassed: none arrives in time.
            Overloaded: memory is short, and the message arrives slowly.
        """
        task = cast("asyncio.Task[Any]", asyncio.current_task())  # of this call
        self._arriving[task] = _Arriving(asyncio.get_running_loop().time(), current_caller())
        self._poll_later()
        try:
            return await unread()
        except asyncio.CancelledError:
            if task not in self._ended:
                raise
            task.uncancel()
            raise self._ended[task] from None
        finally:
            self._arriving.pop(task, None)
            self._ended.pop(task, None)

    def _leave(self, context: Context, begin: float) -> None:
        """Watches a call's answer until it is sent: until gRPC's task of the call ends. Args: begin: of the call."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        now = asyncio.get_running_loop().time()
        until = max(begin + self._limits.max_call_s, now + self._limits.timeout_s)
        self._leaving[task] = _Leaving(now, until, context)
        task.add_done_callback(self._left)
        self._poll_later()

    def _left(self, task: asyncio.Task[Any]) -> None:
        self._leaving.pop(task, None)

    def within_call_time(self, write: Behavior) -> Behavior:
        """Ends a stream that is still not written after the time of a call, because its client does not read it."""
        limit_s = self._limits.max_call_s + self._limits.timeout_s

        async def limited(request: Any, context: Context) -> Any:
            try:
                async with asyncio.timeout(limit_s):
                    return await write(request, context)
            except TimeoutError:
                self._close({context.peer()})  # gRPC would wait for ever to send the status behind the message
                raise DeadlinePassed(f"the stream was not read within {limit_s:g} s") from None

        return limited

    def _poll_later(self) -> None:
        if not self._is_polling:
            self._is_polling = True
            asyncio.get_running_loop().call_later(min(POLL_INTERVAL_S, self._limits.timeout_s / 4), self._poll)

    def _poll(self) -> None:
        self._is_polling = False
        now = asyncio.get_running_loop().time()
        self._end_late(now)
        pressure = self._limits.pressure
        if pressure is not None and self._has_slow(now) and pressure.is_high():
            self._make_room(now)
        if self._arriving or self._leaving:
            self._poll_later()

    def _has_slow(self, now: float) -> bool:
        """Whether a message has been on its way for long; both are sorted by their beginning."""
        arriving = any(now - each.since > SLOW_AFTER_S for each in [*self._arriving.values()][:1])
        return arriving or any(now - each.since > UNREAD_AFTER_S for each in [*self._leaving.values()][:1])

    def _end_late(self, now: float) -> None:
        """Ends what exceeds a limit of time."""
        timeout_s = self._limits.timeout_s
        for task, arriving in list(self._arriving.items()):
            if now - arriving.since < timeout_s:
                break
            self._end(task, DeadlinePassed(f"no message came within {timeout_s:g} s"))
        self._close({each.peer for each in self._leaving.values() if now > each.until})

    def _make_room(self, now: float) -> None:
        """Ends slow messages, and closes connections with unread answers, beyond the number for which there is memory:
        first those of the caller who has most. Fewer are not what memory is short of.
        """
        slow = [(task, each) for task, each in self._arriving.items() if now - each.since > SLOW_AFTER_S]
        num_of = Counter(each.caller for _, each in slow)
        slow.sort(key=lambda item: (-num_of[item[1].caller], item[1].since))
        for task, _ in slow[: max(0, len(slow) - self._limits.num_tolerated)]:
            error = Overloaded("memory is short, and the message arrives slowly", retry_after_s=1.0)
            self._end(task, error)
        unread = Counter(each.peer for each in self._leaving.values() if now - each.since > UNREAD_AFTER_S)
        num_over, closed = unread.total() - self._limits.num_tolerated, set()
        for peer, number in unread.most_common():
            if num_over <= 0:
                break
            closed.add(peer)
            num_over -= number
        self._close(closed)

    def _end(self, task: asyncio.Task[Any], error: ServiceError) -> None:
        del self._arriving[task]
        self._ended[task] = error
        task.cancel()

    def _close(self, peers: set[str]) -> None:
        """Closes the connections of clients that do not read their answers; gRPC cannot end such a call alone."""
        for peer in peers:
            log.warning("a client does not read its answers; its connection is closed")
            self._in_thread(partial(close_connection, peer))

    @staticmethod
    def _in_thread(function: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the event loop is closing, and its threads are gone
            asyncio.get_running_loop().run_in_executor(None, function)


async def _read(context: Any, *, deserialize: Codec, max_bytes: int, inbound: Inbound) -> Any:
    """Reads the message of a gRPC call."""
    caller = current_caller()
    if inbound.has_to_wait(caller):
        await inbound.turn(caller)
    raw = await context.read()
    if raw is grpc.aio.EOF:
        raise InvalidInput.of("request", "is missing")
    message = await unpacked(raw, max_bytes)
    inbound.charge(caller, len(message))
    return deserialize(message)
