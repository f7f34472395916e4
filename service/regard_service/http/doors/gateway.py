"""Serves doors: each of their calls passes through the layers of every call, and its HTTP status is counted."""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib import metadata
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from regard_service.auth.tokens import Scope
from regard_service.errors import InvalidInput, NotReady, ServiceError
from regard_service.http.bodies import MAX_BYTES_ON_EVENT_LOOP, Bodies
from regard_service.http.context import HttpContext
from regard_service.http.doors.backend import DoorBackend
from regard_service.http.doors.door import Answer, Door, DoorCall
from regard_service.http.doors.given import Given
from regard_service.http.doors.openapi import field_names
from regard_service.http.doors.unadmitted import UnadmittedBodies
from regard_service.http.problems import Problem
from regard_service.http.sites import check_site
from regard_service.http.unary import CLIENT_LEFT, UnreadMessage, context_of, id_header, run_unary
from regard_service.observability.metrics import DoorMetrics
from regard_service.rpc.layers.auth import AUTHORIZATION
from regard_service.rpc.routes import Routes


class Gateway:
    """The doors of a server.

    Args:
        doors: those that are open.
        routes: returns the methods of the server, the doors' calls among them; None while the models load.
        bodies: reads the requests' bodies.
        metrics: counts what doors answer.
        needs_tokens: whether calls need a token.
        max_unadmitted_bytes: of bodies that are read for their token.
    """

    def __init__(
        self,
        doors: Sequence[Door],
        routes: Callable[[], Routes | None],
        bodies: Bodies,
        metrics: DoorMetrics,
        *,
        needs_tokens: bool,
        max_unadmitted_bytes: int,
    ) -> None:
        self._doors = tuple(doors)
        self._routes = routes
        self._bodies = bodies
        self._metrics = metrics
        self._needs_tokens = needs_tokens
        self._unadmitted = UnadmittedBodies(max_unadmitted_bytes)

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the doors as services."""
        return tuple(door.service for door in self._doors)

    def scopes(self) -> Iterator[tuple[str, Scope]]:
        """Yields "service/call" and the scope of each call that needs one."""
        for door in self._doors:
            for call in door.calls:
                if call.scope is not None:
                    yield f"{door.service}/{call.name}", call.scope

    def field_names(self) -> Iterator[str]:
        """Yields the names of the fields that the doors' documents describe."""
        for door in self._doors:
            yield from field_names(door.describe(""))

    def register(self, routes: Routes, backend: DoorBackend) -> None:
        """Adds the doors' calls to the methods of a server."""
        for door in self._doors:
            for call in door.calls:
                routes.add_call(door.service, call.name, _behavior(call, backend))

    def endpoints(self) -> list[Route]:
        """Returns the routes of all doors."""
        routes: list[Route] = []
        for door in self._doors:
            routes += [
                Route(door.prefix + call.path, self._endpoint(door, call), methods=[*call.verbs]) for call in door.calls
            ]
            routes.append(Route(f"{door.prefix}/openapi.json", _description(door)))
        return routes

    def refusal(self, path: str, problem: Problem) -> Response | None:
        """Returns an error in the shape of the door that a path belongs to; None if it belongs to none."""
        for door in self._doors:
            if door.prefix and (path == door.prefix or path.startswith(f"{door.prefix}/")):
                return door.refuse(problem)
        return None

    def _endpoint(self, door: Door, call: DoorCall) -> Callable[[Request], Any]:
        observe = self._metrics.observer(door.name, call.name)

        async def answer(request: Request) -> Response:
            begin, status = time.perf_counter(), CLIENT_LEFT
            try:
                response = await self._answer(door, call, request)
                status = response.status_code
                return response
            finally:
                observe(status, time.perf_counter() - begin)

        return answer

    async def _answer(self, door: Door, call: DoorCall, request: Request) -> Response:
        routes = self._routes()
        handler = None if routes is None else routes.handler(f"/{door.service}/{call.name}")
        if handler is None:
            return door.refuse(Problem.of_error(NotReady("the models are loading")))
        request_of = _RequestOf(request, call, self._bodies)
        try:
            check_site(request)
            context = context_of(request)
            if self._needs_tokens and call.scope is not None:
                context = context.with_metadata(AUTHORIZATION, await self._authorization(door, request_of))
        except ClientDisconnect:
            return Response(status_code=CLIENT_LEFT)
        except ServiceError as error:
            return door.refuse(Problem.of_error(error))
        message = UnreadMessage(request, request_of.message)
        respond = partial(_respond, request_of, context)
        return await run_unary(handler, message, context, respond, partial(_refuse, door))

    async def _authorization(self, door: Door, request_of: "_RequestOf") -> str | None:
        """Returns the token of a request as the API's own header has it; None if the request has none.

        Raises:
            Overloaded: too many bodies are being read for their token.
            BodyTooLarge, ClientDisconnect: as of `Bodies.read`.
        """
        token = door.token(request_of.without_body())
        if token is None and door.token_in_body is not None:
            with self._unadmitted.counted(request_of.address) as grown:
                given = await request_of.given(grown)
                # The body may be no JSON, or no form. The caller learns so who has a token.
                with suppress(InvalidInput):
                    token = await self._bodies.parse(given.body, partial(door.token_in_body, given))
        return None if token is None else f"Bearer {token}"


class _RequestOf:
    """A request of a door's call: its body is read once, before or after its caller is admitted."""

    def __init__(self, request: Request, call: DoorCall, bodies: Bodies) -> None:
        self._request = request
        self._call = call
        self._bodies = bodies
        self._given: Given | None = None

    @property
    def address(self) -> str:
        """The client's address."""
        return "" if self._request.client is None else self._request.client.host

    @property
    def is_large(self) -> bool:
        """Whether the answer is likely to be large, as the request was."""
        return self._given is not None and len(self._given.body) > MAX_BYTES_ON_EVENT_LOOP

    def without_body(self) -> Given:
        """Returns what is known before the body."""
        return self._given or Given.of(self._request, b"")

    async def given(self, grown: Callable[[int], None] | None = None) -> Given:
        """Returns the request with its body."""
        if self._given is None:
            # Some clients send the parameters of a GET as a form.
            body = await self._bodies.read(self._request, grown)
            given = Given.of(self._request, body)
            counted = body if self._call.json_of is None else self._call.json_of(given)
            if self._call.counts_values and counted.lstrip()[:1] in (b"{", b"["):
                await self._bodies.count(counted)
            self._given = given
        return self._given

    async def message(self) -> Any:
        """Returns the message of the call. Raises InvalidInput, Unsupported, BodyTooLarge, ClientDisconnect."""
        given = await self.given()
        return await self._bodies.parse(given.body, partial(self._call.read, given))

    async def write(self, answer: Answer) -> bytes:
        """Returns the body of an answer."""
        return await self._bodies.write_apart(answer.body) if self.is_large else answer.body()


def _behavior(call: DoorCall, backend: DoorBackend) -> Callable[[Any, Any], Awaitable[Answer]]:
    async def run(message: Any, context: Any) -> Answer:
        return await call.run(message, backend, context)

    return run


async def _respond(request_of: _RequestOf, context: HttpContext, answer: Answer) -> Response:
    body = await request_of.write(answer)
    headers = {**answer.headers, **id_header(context)}
    return Response(body, answer.status, headers, media_type=answer.media_type)


def _refuse(door: Door, context: HttpContext) -> Response:
    response = door.refuse(Problem.of_call(context))
    response.headers.update(id_header(context))
    return response


def _description(door: Door) -> Callable[[Request], Awaitable[Response]]:
    described = door.describe(metadata.version("regard"))

    async def openapi(request: Request) -> Response:
        return JSONResponse(described)

    return openapi
