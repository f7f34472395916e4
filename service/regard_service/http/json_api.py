"""The JSON API: the methods of gRPC over HTTP.

Calls pass through the same layers and servicers as those of gRPC, with the same checks, limits, errors, metrics and
log. Messages are protobuf's JSON with the names of the .proto.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import Message
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from regard.v1 import regard_pb2 as pb
from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.errors import BodyTooLarge, Forbidden, InvalidInput, NotReady
from regard_service.http.body_bounds import counting
from regard_service.http.context import HttpContext
from regard_service.http.json_answers import is_slow_to_write, write_json
from regard_service.http.json_requests import read_body, read_query
from regard_service.http.problems import Problem
from regard_service.rpc.layers.layer import Handler
from regard_service.rpc.layers.request_log import REQUEST_ID
from regard_service.rpc.messages import Unread
from regard_service.rpc.routes import Routes

TIMEOUT_HEADER = "x-request-timeout"  # in seconds
# Longer bodies are parsed, and longer answers written, in a thread, one at a time: they take several times their size.
MAX_BODY_BYTES_ON_EVENT_LOOP = 16 * 1024
MAX_WAITING_BODIES = 256
_JSON_TYPES = ("application/json", "text/json")

Write = Callable[[Message, bool], Awaitable[bytes]]
"""Writes a message as JSON; True: with its maps as lists of numbers."""


@dataclass(frozen=True)
class Endpoint:
    """A method of the API and its place in HTTP. A streaming method answers with server-sent events."""

    verb: str
    path: str
    service: str
    method: str

    @property
    def descriptor(self) -> Any:
        """The method's descriptor in the .proto."""
        return pb.DESCRIPTOR.services_by_name[self.service].methods_by_name[self.method]

    @property
    def grpc_path(self) -> str:
        """The method's path in gRPC."""
        return f"/{pb.DESCRIPTOR.package}.{self.service}/{self.method}"


ENDPOINTS = (
    Endpoint("POST", "/v1/translate", "AttentionService", "Translate"),
    Endpoint("POST", "/v1/translate/stream", "AttentionService", "StreamTranslate"),
    Endpoint("GET", "/v1/translate/stream", "AttentionService", "StreamTranslate"),
    Endpoint("POST", "/v1/translate/document", "AttentionService", "TranslateDocument"),
    Endpoint("POST", "/v1/summarize", "AttentionService", "Summarize"),
    Endpoint("POST", "/v1/summarize/stream", "AttentionService", "StreamSummarize"),
    Endpoint("GET", "/v1/summarize/stream", "AttentionService", "StreamSummarize"),
    Endpoint("POST", "/v1/caption", "AttentionService", "Caption"),
    Endpoint("POST", "/v1/caption/stream", "AttentionService", "StreamCaption"),
    Endpoint("POST", "/v1/score", "AttentionService", "Score"),
    Endpoint("POST", "/v1/align", "AttentionService", "Align"),
    Endpoint("POST", "/v1/encode", "AttentionService", "Encode"),
    Endpoint("POST", "/v1/classify", "AttentionService", "Classify"),
    Endpoint("POST", "/v1/fill-mask", "AttentionService", "FillMask"),
    Endpoint("GET", "/v1/models", "ModelService", "ListModels"),
    Endpoint("GET", "/v1/models/{name}", "ModelService", "GetModel"),
    Endpoint("POST", "/v1/models/{name}/load", "ModelService", "LoadModel"),
    Endpoint("POST", "/v1/models/{name}/unload", "ModelService", "UnloadModel"),
    Endpoint("GET", "/v1/glossaries", "GlossaryService", "ListGlossaries"),
    Endpoint("GET", "/v1/glossaries/{name}", "GlossaryService", "GetGlossary"),
    Endpoint("POST", "/v1/glossaries/{name}", "GlossaryService", "PutGlossary"),
    Endpoint("DELETE", "/v1/glossaries/{name}", "GlossaryService", "DeleteGlossary"),
)


class JsonApi:
    """Answers the JSON API.

    Args:
        routes: returns the methods of gRPC; None while the models load.
        max_body_bytes: the limit of a request's body.
        max_inputs: the most inputs of a call.
    """

    def __init__(self, routes: Callable[[], Routes | None], max_body_bytes: int, max_inputs: int) -> None:
        self._routes = routes
        self._max_body_bytes = max_body_bytes
        self._max_inputs = max_inputs
        self._thread = BoundedThreadPool(1, MAX_WAITING_BODIES)

    def endpoints(self) -> list[Route]:
        """Returns the routes of the API."""
        return [Route(each.path, self._endpoint(each), methods=[each.verb]) for each in ENDPOINTS]

    def _endpoint(self, endpoint: Endpoint) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            routes = self._routes()
            if routes is None:
                return Problem.of_error(NotReady("the models are loading")).response()
            handler = routes.handler(endpoint.grpc_path)
            if handler is None:
                raise LookupError(f"gRPC does not answer {endpoint.grpc_path}")
            try:
                _check_site(request)
                context = _context(request)
            except (InvalidInput, Forbidden) as error:
                return Problem.of_error(error).response()
            message = _UnreadMessage(request, partial(self._read, request, endpoint))
            try:
                if endpoint.descriptor.server_streaming:
                    return await _stream(handler, message, context, self._written)
                return await _answer(handler, message, context, self._written)
            except InvalidInput as error:  # an answer that cannot be written as JSON
                return Problem.of_error(error).response(_headers(context))
            except asyncio.CancelledError:
                if not message.has_left:
                    raise
                return Response(status_code=499)

        return answer

    async def _read(self, request: Request, endpoint: Endpoint) -> tuple[Message, bool]:
        """Returns the message, and whether the maps of its answer are to be lists of numbers.

        Raises:
            InvalidInput, BodyTooLarge: the caller's fault.
            ClientDisconnect: the body is not whole.
        """
        message: Message = getattr(pb, endpoint.descriptor.input_type.name)()
        if endpoint.verb != "POST":
            return message, read_query([*request.query_params.multi_items(), *request.path_params.items()], message)
        body = await self._body(request)
        for _ in counting(body, self._max_inputs):
            await asyncio.sleep(0)
        if len(body) <= MAX_BODY_BYTES_ON_EVENT_LOOP:
            return message, read_body(body, message, request.path_params)
        (has_nested_maps,) = await self._thread.run([partial(read_body, body, message, request.path_params)])
        return message, has_nested_maps

    async def _written(self, message: Message, has_nested_maps: bool) -> bytes:
        """Returns a message as JSON. Raises InvalidInput."""
        if not is_slow_to_write(message, has_nested_maps):
            return write_json(message, has_nested_maps)
        (written,) = await self._thread.finish([partial(write_json, message, has_nested_maps)])
        return written

    async def _body(self, request: Request) -> bytes:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in _JSON_TYPES:
            # Browsers let a page of another site send forms and plain text here, but no JSON.
            raise InvalidInput.of(
                "request", f"content-type must be application/json; it is {media_type[:80] or 'missing'}"
            )
        limit = self._max_body_bytes
        stated = request.headers.get("content-length", "")
        if stated.isascii() and stated.isdigit() and int(stated[:20]) > limit:
            raise BodyTooLarge(f"the body has {stated[:20]} bytes; the limit is {limit}")
        chunks, size = [], 0
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                raise BodyTooLarge(f"the body has more than {limit} bytes")
        return b"".join(chunks)


class _UnreadMessage:
    """A request whose message is read later, by the innermost layer.

    Attributes:
        has_left: whether the client closed the connection before it had sent the message.
        has_nested_maps: whether it asks for maps as lists of numbers; known once it is read.
    """

    def __init__(self, request: Request, read: Callable[[], Awaitable[tuple[Message, bool]]]) -> None:
        self._request = request
        self._read = read
        self._was_read = asyncio.Event()
        self.has_left = False
        self.has_nested_maps = False

    async def read(self) -> Any:
        """Returns the message. Cancels the call if the client leaves before it has sent the whole message."""
        try:
            message, self.has_nested_maps = await self._read()
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


def _check_site(request: Request) -> None:
    """Refuses a GET that a page of another site makes a browser send: unlike JSON, it needs nobody's permission.

    Raises:
        Forbidden: names the header by which browsers tell (https://www.w3.org/TR/fetch-metadata).
    """
    if request.method == "GET" and request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Forbidden("a page of another site made this request, as sec-fetch-site tells")


def _context(request: Request) -> HttpContext:
    """Returns the call's context. Raises InvalidInput if the timeout is not a positive number."""
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


async def _answer(handler: Handler, message: _UnreadMessage, context: HttpContext, write: Write) -> Response:
    """Runs a unary call. A client that leaves cancels it, which frees its slots."""
    behaviour: Any = handler.unary_unary
    call = asyncio.ensure_future(behaviour(message.read, context))
    leaving = asyncio.ensure_future(message.wait_until_client_leaves())
    try:
        await asyncio.wait((call, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not call.done():
            return Response(status_code=499)
        written = await write(call.result(), message.has_nested_maps)
        return Response(written, headers=_headers(context), media_type="application/json")
    except grpc.aio.AbortError:
        return Problem.of_call(context).response(_headers(context))
    finally:
        for task in (call, leaving):
            task.cancel()
        await asyncio.gather(call, leaving, return_exceptions=True)


async def _stream(handler: Handler, message: _UnreadMessage, context: HttpContext, write: Write) -> Response:
    """Runs a streaming call as server-sent events. A call that fails before its first message is a plain problem."""
    events = _events(handler, message.read, context)
    try:
        first = await anext(events)
    except grpc.aio.AbortError:
        return Problem.of_call(context).response(_headers(context))

    async def send() -> AsyncIterator[bytes]:
        try:
            yield _event(first.WhichOneof("event"), await write(first, message.has_nested_maps))
            async for event in events:
                yield _event(event.WhichOneof("event"), await write(event, message.has_nested_maps))
        except grpc.aio.AbortError:
            yield _error_event(Problem.of_call(context))
        except InvalidInput as error:  # an event that cannot be written as JSON
            yield _error_event(Problem.of_error(error))
        finally:
            await events.aclose()

    headers = _headers(context) | {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(send(), headers=headers, media_type="text/event-stream")


async def _events(handler: Handler, message: Unread, context: HttpContext) -> Any:
    """Yields the messages of a streaming call. Closing the generator cancels the call."""
    behaviour: Any = handler.unary_stream
    call = asyncio.ensure_future(behaviour(message, context))
    try:
        while not call.done():
            arriving = asyncio.ensure_future(context.written.get())
            await asyncio.wait((call, arriving), return_when=asyncio.FIRST_COMPLETED)
            if arriving.done():
                yield arriving.result()
            else:
                arriving.cancel()
        while not context.written.empty():
            yield context.written.get_nowait()
        call.result()  # raises the error that ended the call
    finally:
        call.cancel()
        with suppress(asyncio.CancelledError, grpc.aio.AbortError):
            await call


def _event(kind: str, data: bytes) -> bytes:
    """Returns a message of a stream as a server-sent event, named by the kind of the event."""
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), data)


def _error_event(problem: Problem) -> bytes:
    return _event("error", json.dumps(problem.body(), ensure_ascii=False).encode())


def _headers(context: HttpContext) -> dict[str, str]:
    trailers = dict(context.trailing_metadata())
    return {REQUEST_ID: trailers[REQUEST_ID]} if REQUEST_ID in trailers else {}
