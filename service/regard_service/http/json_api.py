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
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from regard.v1 import regard_pb2 as pb
from regard_service.errors import Forbidden, InvalidInput, NotReady
from regard_service.http.bodies import Bodies
from regard_service.http.context import HttpContext
from regard_service.http.json_answers import is_slow_to_write, write_json
from regard_service.http.json_requests import read_body, read_query
from regard_service.http.problems import Problem
from regard_service.http.queries import query_pairs
from regard_service.http.sites import check_site
from regard_service.http.unary import UnreadMessage, context_of, id_header, run_unary
from regard_service.rpc.layers.layer import Handler
from regard_service.rpc.messages import Unread
from regard_service.rpc.routes import Routes

_JSON_TYPES = ("application/json", "text/json")

Write = Callable[[Message], Awaitable[bytes]]
"""Writes a message as JSON."""


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
    Endpoint("POST", "/v1/detect", "AttentionService", "Detect"),
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
        bodies: reads the requests' bodies.
    """

    def __init__(self, routes: Callable[[], Routes | None], bodies: Bodies) -> None:
        self._routes = routes
        self._bodies = bodies

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
                if endpoint.verb == "GET":  # JSON needs the permission of this server
                    check_site(request)
                context = context_of(request)
            except (InvalidInput, Forbidden) as error:
                return Problem.of_error(error).response()
            asked = _Asked()
            message = UnreadMessage(request, partial(self._read, request, endpoint, asked))
            write = partial(self._written, asked)
            try:
                if endpoint.descriptor.server_streaming:
                    return await _stream(handler, message, context, write)
                return await run_unary(handler, message, context, partial(_respond, context, write), _refuse)
            except InvalidInput as error:  # an answer that cannot be written as JSON
                return Problem.of_error(error).response(id_header(context))
            except asyncio.CancelledError:
                if not message.has_left:
                    raise
                return Response(status_code=499)

        return answer

    async def _read(self, request: Request, endpoint: Endpoint, asked: "_Asked") -> Message:
        """Returns the message; notes whether the maps of its answer are to be lists of numbers.

        Raises:
            InvalidInput, BodyTooLarge: the caller's fault.
            ClientDisconnect: the body is not whole.
        """
        message: Message = getattr(pb, endpoint.descriptor.input_type.name)()
        if endpoint.verb != "POST":
            asked.has_nested_maps = read_query(
                [*query_pairs(request.scope["query_string"]), *request.path_params.items()], message
            )
            return message
        _check_media_type(request)
        body = await self._bodies.read(request)
        await self._bodies.count(body)
        asked.has_nested_maps = await self._bodies.parse(body, partial(read_body, body, message, request.path_params))
        return message

    async def _written(self, asked: "_Asked", message: Message) -> bytes:
        """Returns a message as JSON. Raises InvalidInput."""
        if not is_slow_to_write(message, asked.has_nested_maps):
            return write_json(message, asked.has_nested_maps)
        return await self._bodies.write_apart(partial(write_json, message, asked.has_nested_maps))


@dataclass
class _Asked:
    """What a request asks of its answer's form.

    Attributes:
        has_nested_maps: whether maps are lists of numbers; known once the request is read.
    """

    has_nested_maps: bool = False


def _check_media_type(request: Request) -> None:
    """Raises InvalidInput for a body that is not said to be JSON.

    Browsers let a page of another site send forms and plain text here, but no JSON.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _JSON_TYPES:
        raise InvalidInput.of("request", f"content-type must be application/json; it is {media_type[:80] or 'missing'}")


async def _respond(context: HttpContext, write: Write, message: Message) -> Response:
    return Response(await write(message), headers=id_header(context), media_type="application/json")


def _refuse(context: HttpContext) -> Response:
    return Problem.of_call(context).response(id_header(context))


async def _stream(handler: Handler, message: UnreadMessage[Message], context: HttpContext, write: Write) -> Response:
    """Runs a streaming call as server-sent events. A call that fails before its first message is a plain problem."""
    events = _events(handler, message.read, context)
    try:
        first = await anext(events)
    except grpc.aio.AbortError:
        return _refuse(context)

    async def send() -> AsyncIterator[bytes]:
        try:
            yield _event(first.WhichOneof("event"), await write(first))
            async for event in events:
                yield _event(event.WhichOneof("event"), await write(event))
        except grpc.aio.AbortError:
            yield _error_event(Problem.of_call(context))
        except InvalidInput as error:  # an event that cannot be written as JSON
            yield _error_event(Problem.of_error(error))
        finally:
            await events.aclose()

    headers = id_header(context) | {"cache-control": "no-store", "x-accel-buffering": "no"}
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
