"""The JSON API: the methods of gRPC over HTTP.

Calls pass through the same layers and servicers as those of gRPC, with the same checks, limits, errors, metrics and
log. Messages are protobuf's JSON with the names of the .proto.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from regard.v1 import regard_pb2 as pb
from regard_service.errors import InvalidInput, NotReady
from regard_service.http.context import HttpContext
from regard_service.http.json_requests import read_body, read_query
from regard_service.http.problems import Problem
from regard_service.rpc.layers.error_status import Malformed
from regard_service.rpc.layers.layer import Handler
from regard_service.rpc.layers.request_log import REQUEST_ID
from regard_service.rpc.routes import Routes

TIMEOUT_HEADER = "x-request-timeout"  # in seconds
_JSON_TYPES = ("application/json", "text/json")


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
    Endpoint("GET", "/v1/models", "ModelService", "ListModels"),
    Endpoint("GET", "/v1/models/{name}", "ModelService", "GetModel"),
)


class BodyTooLarge(Exception):
    """The body exceeds the limit of a message, which gRPC itself enforces."""


class JsonApi:
    """Answers the JSON API.

    Args:
        routes: returns the methods of gRPC; None while the models load.
        max_body_bytes: the limit of a request's body.
    """

    def __init__(self, routes: Callable[[], Routes | None], max_body_bytes: int) -> None:
        self._routes = routes
        self._max_body_bytes = max_body_bytes

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
                context = _context(request)
                message = await self._read(request, endpoint)
            except BodyTooLarge as error:
                return _too_large(str(error))
            except InvalidInput as error:
                return Problem.of_error(error).response()
            except ClientDisconnect:
                return Response(status_code=499)
            if endpoint.descriptor.server_streaming:
                return await _stream(handler, message, context)
            return await _answer(handler, message, context, request)

        return answer

    async def _read(self, request: Request, endpoint: Endpoint) -> Message | Malformed:
        """Returns the request's message. A bad request becomes a Malformed: the call logs and counts its error."""
        message: Message = getattr(pb, endpoint.descriptor.input_type.name)()
        try:
            if endpoint.verb == "POST":
                read_body(await self._body(request), message)
            else:
                read_query([*request.query_params.multi_items(), *request.path_params.items()], message)
        except InvalidInput as error:
            return Malformed(error)
        return message

    async def _body(self, request: Request) -> bytes:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in _JSON_TYPES:
            # Browsers let a page of another site send forms and plain text here, but no JSON.
            raise InvalidInput.of("request", f"content-type must be application/json; it is {media_type or 'missing'}")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._max_body_bytes:
                raise BodyTooLarge(f"the body has more than {self._max_body_bytes} bytes")
        return bytes(body)


def as_json(message: Message) -> dict[str, Any]:
    """Returns a message in protobuf's JSON, with the field names of the .proto."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


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


async def _answer(handler: Handler, message: Any, context: HttpContext, request: Request) -> Response:
    """Runs a unary call. A client that leaves cancels it, which frees its slots."""
    behaviour: Any = handler.unary_unary
    call = asyncio.ensure_future(behaviour(message, context))
    leaving = asyncio.ensure_future(_wait_until_client_leaves(request))
    try:
        await asyncio.wait((call, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not call.done():
            return Response(status_code=499)
        return JSONResponse(as_json(call.result()), headers=_headers(context))
    except grpc.aio.AbortError:
        return Problem.of_call(context).response(_headers(context))
    finally:
        for task in (call, leaving):
            task.cancel()
        await asyncio.gather(call, leaving, return_exceptions=True)


async def _wait_until_client_leaves(request: Request) -> None:
    """Returns once the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _stream(handler: Handler, message: Any, context: HttpContext) -> Response:
    """Runs a streaming call as server-sent events. A call that fails before its first message is a plain problem."""
    events = _events(handler, message, context)
    try:
        first = await anext(events)
    except grpc.aio.AbortError:
        return Problem.of_call(context).response(_headers(context))

    async def send() -> AsyncIterator[str]:
        try:
            yield _event(first)
            async for event in events:
                yield _event(event)
        except grpc.aio.AbortError:
            yield f"event: error\ndata: {json.dumps(Problem.of_call(context).body(), ensure_ascii=False)}\n\n"
        finally:
            await events.aclose()

    headers = _headers(context) | {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(send(), headers=headers, media_type="text/event-stream")


async def _events(handler: Handler, message: Any, context: HttpContext) -> Any:
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


def _event(message: Any) -> str:
    """Formats a message of a stream as a server-sent event, named by the kind of the event."""
    return f"event: {message.WhichOneof('event')}\ndata: {json.dumps(as_json(message), ensure_ascii=False)}\n\n"


def _headers(context: HttpContext) -> dict[str, str]:
    trailers = dict(context.trailing_metadata())
    return {REQUEST_ID: trailers[REQUEST_ID]} if REQUEST_ID in trailers else {}


def _too_large(detail: str) -> Response:
    return Problem(413, "RESOURCE_EXHAUSTED", "BODY_TOO_LARGE", detail).response()
