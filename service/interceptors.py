"""What happens around every call, unary and streaming alike: the log's line, metrics, errors.

They nest in this order: `RequestLog`, `MetricsInterceptor`, `ErrorInterceptor`, `Gate`, the servicer.
"""

import asyncio
import logging
import re
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError
from grpc import StatusCode

from service import logs
from service.convert.errors import DETAILS_KEY, write_error
from service.convert.malformed import describe_malformed
from service.errors import Draining, InvalidInput, ServiceError
from service.metrics import GrpcMetrics

REQUEST_ID = "x-request-id"
_USABLE_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_QUIET_SERVICES = ("grpc.health.", "grpc.reflection.")

Context = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
MaybeHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Codec = Callable[[Any], Any]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Method:
    """A method of the API.

    Attributes:
        kind: "unary", "client_stream", "server_stream" or "bidi_stream".
        service: with its package, as in "regard.v1.AttentionService".
    """

    kind: str
    service: str
    name: str

    @classmethod
    def of(cls, path: str, handler: Handler) -> "Method":
        """Reads a path "/service/method"."""
        kinds = {
            (False, False): "unary",
            (True, False): "client_stream",
            (False, True): "server_stream",
            (True, True): "bidi_stream",
        }
        _, service, name = path.split("/")
        return cls(kinds[handler.request_streaming, handler.response_streaming], service, name)

    @property
    def labels(self) -> tuple[str, str, str]:
        return self.kind, self.service, self.name


class CallInterceptor(grpc.aio.ServerInterceptor, ABC):
    """Base: puts `around` around every call, whatever its kind."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Handler, Handler]] = {}  # by path: what is wrapped, and the wrapped

    @abstractmethod
    def around(self, method: Method, context: Context) -> AbstractAsyncContextManager[None]:
        """What surrounds the call; sees the exception that ends it."""

    def check(self, request: Any) -> None:
        """Runs inside `around`, before the call; may raise."""

    def deserializer(self, method: Method, deserialize: Codec) -> Codec:
        return deserialize

    def serializer(self, method: Method, serialize: Codec) -> Codec:
        return serialize

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[MaybeHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> MaybeHandler:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None  # gRPC answers UNIMPLEMENTED
        path = handler_call_details.method
        known = self._known.get(path)
        if known is None or known[0] is not handler:
            known = self._known[path] = (handler, self._wrapped(handler, Method.of(path, handler)))
        return known[1]

    def _wrapped(self, handler: Handler, method: Method) -> Handler:
        behaviour: Any = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream

        async def answer(request: Any, context: Context) -> Any:
            async with self.around(method, context):
                self.check(request)
                return await behaviour(request, context)

        async def stream(request: Any, context: Context) -> None:
            async with self.around(method, context):
                self.check(request)
                await _write_all(behaviour(request, context), context)

        make: Any = {
            "unary": grpc.unary_unary_rpc_method_handler,
            "client_stream": grpc.stream_unary_rpc_method_handler,
            "server_stream": grpc.unary_stream_rpc_method_handler,
            "bidi_stream": grpc.stream_stream_rpc_method_handler,
        }[method.kind]
        wrapped: Handler = make(
            stream if handler.response_streaming else answer,
            self.deserializer(method, handler.request_deserializer or _unchanged),
            self.serializer(method, handler.response_serializer or _unchanged),
        )
        return wrapped


def _unchanged(message: Any) -> Any:
    """What gRPC takes a missing codec for."""
    return message


async def _write_all(responses: Any, context: Context) -> None:
    """Sends what a streaming servicer makes: an async generator's responses, or whatever it writes itself.

    The generator is closed here and now, so that a client that leaves frees its slots at once.
    """
    if asyncio.iscoroutine(responses):
        await responses
        return
    async with aclosing(responses):
        async for response in responses:
            await context.write(response)


@dataclass(frozen=True)
class Malformed:
    """Stands in for a request whose bytes could not be parsed, until somebody can answer that."""

    error: InvalidInput


class ErrorInterceptor(CallInterceptor):
    """Ends calls that fail with the status of their error; what is no ServiceError is told to the log only."""

    @asynccontextmanager
    async def around(self, method: Method, context: Context) -> AsyncIterator[None]:
        try:
            yield
        except grpc.aio.BaseError:  # gRPC's own: the call has been aborted, or its client is gone
            raise
        except Exception as error:
            if not isinstance(error, ServiceError):
                log.exception("%s/%s failed", method.service, method.name)
            status = write_error(error)
            logs.note(reason=status.reason)
            if isinstance(error, InvalidInput):
                logs.note(fields=[violation.field for violation in error.violations[:8]])
            trailers = (*(context.trailing_metadata() or ()), (DETAILS_KEY, status.details))
            await context.abort(status.code, status.message, trailers)

    def check(self, request: Any) -> None:
        if isinstance(request, Malformed):
            raise request.error

    def deserializer(self, method: Method, deserialize: Codec) -> Codec:
        """Bytes that are no message would be an INTERNAL error to gRPC; here they become the caller's."""

        def read(raw: bytes) -> Any:
            try:
                return deserialize(raw)
            except DecodeError:
                return Malformed(describe_malformed(f"{method.service}.{method.name}", raw))

        return read if method.kind in ("unary", "server_stream") else deserialize


class Gate(CallInterceptor):
    """Knows the API's calls in flight, and refuses new ones once it is closed.

    gRPC's own stop is too rough for that: calls that have reached the process, but not yet Python, it cancels, and
    their clients cannot tell that from a fault. Closing the gate first gives them UNAVAILABLE, which is safe to retry.

    Args:
        services: whose calls count; a health check is always let in.
    """

    def __init__(self, services: Collection[str]) -> None:
        super().__init__()
        self._services = frozenset(services)
        self._num_in_flight = 0
        self._emptied = asyncio.Event()
        self._last_change = 0.0
        self._is_closed = False

    @asynccontextmanager
    async def around(self, method: Method, context: Context) -> AsyncIterator[None]:
        if method.service not in self._services:
            yield
            return
        self._last_change = time.monotonic()
        if self._is_closed:
            raise Draining("the server is shutting down")
        self._num_in_flight += 1
        try:
            yield
        finally:
            self._num_in_flight -= 1
            self._last_change = time.monotonic()
            if not self._num_in_flight:
                self._emptied.set()

    def close(self) -> None:
        self._is_closed = True

    async def wait_until_empty(self) -> None:
        """Returns once no call is in flight."""
        while self._num_in_flight:
            self._emptied.clear()
            await self._emptied.wait()

    async def wait_until_quiet(self, seconds: float) -> None:
        """Returns once no call has come or gone for so long."""
        while (left := self._last_change + seconds - time.monotonic()) > 0:  # noqa: ASYNC110  only time to wait for
            await asyncio.sleep(left)


class MetricsInterceptor(CallInterceptor):
    """Counts and times calls and messages."""

    def __init__(self, metrics: GrpcMetrics) -> None:
        super().__init__()
        self._metrics = metrics

    @asynccontextmanager
    async def around(self, method: Method, context: Context) -> AsyncIterator[None]:
        self._metrics.started.labels(*method.labels).inc()
        begin = time.perf_counter()
        code = StatusCode.OK
        try:
            yield
            code = _code(context, None)
        except BaseException as error:
            code = _code(context, error)
            raise
        finally:
            self._metrics.handled.labels(*method.labels, code_label(code)).inc()
            self._metrics.handling.labels(*method.labels).observe(time.perf_counter() - begin)

    def deserializer(self, method: Method, deserialize: Codec) -> Codec:
        counter = self._metrics.received.labels(*method.labels)

        def read(raw: bytes) -> Any:
            counter.inc()
            return deserialize(raw)

        return read

    def serializer(self, method: Method, serialize: Codec) -> Codec:
        counter = self._metrics.sent.labels(*method.labels)

        def write(message: Any) -> Any:
            counter.inc()
            return serialize(message)

        return write


class RequestLog(CallInterceptor):
    """Logs one line a call, and gives the call its id: the caller's `x-request-id`, or a new one, sent back."""

    @asynccontextmanager
    async def around(self, method: Method, context: Context) -> AsyncIterator[None]:
        request_id = _request_id(context)
        context.set_trailing_metadata(((REQUEST_ID, request_id),))
        fields: logs.LogFields = {"request_id": request_id, "peer": context.peer()}
        logs.begin_call(fields)
        begin = time.perf_counter()
        code = StatusCode.OK
        try:
            yield
            code = _code(context, None)
        except BaseException as error:
            code = _code(context, error)
            raise
        finally:
            fields |= {"code": code.name, "duration_ms": round((time.perf_counter() - begin) * 1000, 3)}
            level = logging.DEBUG if method.service.startswith(_QUIET_SERVICES) else logging.INFO
            log.log(level, "%s/%s", method.service, method.name, extra=logs.fields(**fields))


def _request_id(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID and isinstance(value, str) and _USABLE_REQUEST_ID.fullmatch(value):
            return value
    return uuid.uuid4().hex


def _code(context: Context, error: BaseException | None) -> StatusCode:
    """How a call ended, by the exception that left it."""
    if error is None or isinstance(error, grpc.aio.AbortError):
        set_code = cast(StatusCode | None, context.code())  # None as long as nobody set one
        return set_code or StatusCode.OK
    if isinstance(error, asyncio.CancelledError | grpc.aio.BaseError):
        is_overdue = context.time_remaining() == 0
        return StatusCode.DEADLINE_EXCEEDED if is_overdue else StatusCode.CANCELLED
    return StatusCode.UNKNOWN


def code_label(code: StatusCode) -> str:
    """A status code as go-grpc-prometheus writes it: "OK", "Canceled", "InvalidArgument"."""
    if code is StatusCode.OK:
        return "OK"
    return "Canceled" if code is StatusCode.CANCELLED else code.name.title().replace("_", "")
