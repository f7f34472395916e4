"""The HTTP application: metrics and health, and optionally the JSON API and the playground."""

from collections.abc import Awaitable, Callable, Set
from functools import partial
from importlib import metadata

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Match, Route, compile_path

from regard_service.errors import ServiceError
from regard_service.http.docs_page import page
from regard_service.http.doors.all_doors import DOORS
from regard_service.http.doors.gateway import Gateway
from regard_service.http.json_api import JsonApi
from regard_service.http.openapi import document
from regard_service.http.playground import PAGE_HEADERS, page_routes
from regard_service.http.problems import Problem
from regard_service.http.scrapes import Scrapes
from regard_service.validation.suggestions import closest


def create_app(
    registry: Callable[[], Awaitable[CollectorRegistry]],
    unready_reasons: Callable[[], list[str]],
    api: JsonApi | None = None,
    grpc_port: Callable[[], int] = lambda: 0,
    is_live: Callable[[], bool] = lambda: True,
    doors: Gateway | None = None,
) -> Starlette:
    """Builds the application.

    Args:
        registry: returns the metrics of the server.
        unready_reasons: returns why the server should get no new calls; empty if it should.
        api: None leaves out the JSON API and the playground.
        grpc_port: returns the port that the playground shows in calls to copy.
        is_live: returns whether the engine works; if not, the process should be restarted.
        doors: the APIs of others.
    """
    scrapes = Scrapes()

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))

        async def write() -> bytes:
            encoded: bytes = encode(await registry())
            return encoded

        text = await scrapes.text(content_type, write)
        return Response(text, headers={"content-type": content_type})

    async def healthz(request: Request) -> Response:
        if not is_live():
            return JSONResponse({"status": "the engine is stuck"}, status_code=503)
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> Response:
        reasons = unready_reasons()
        if reasons:
            return JSONResponse({"status": "not ready", "reasons": reasons}, status_code=503)
        return JSONResponse({"status": "ready"})

    routes = [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]
    if api is not None:
        routes += [*api.endpoints(), *_reference_routes(), *page_routes(lambda: {"grpc_port": grpc_port()})]
    if doors is not None:
        routes += doors.endpoints()
    refused = partial(_refused, doors)
    app = Starlette(routes=routes, exception_handlers={HTTPException: refused, Exception: refused})
    app.router.redirect_slashes = False  # a redirect loses the body of many clients
    return app


def _reference_routes() -> list[Route]:
    described = document(_version())
    readable = page(described)

    async def openapi(request: Request) -> Response:
        return JSONResponse(described)

    async def docs(request: Request) -> Response:
        return HTMLResponse(readable, headers=PAGE_HEADERS)

    return [Route("/openapi.json", openapi), Route("/docs", docs)]


def _version() -> str:
    try:
        return metadata.version("regard")
    except metadata.PackageNotFoundError:
        return "0"


async def _refused(doors: Gateway | None, request: Request, error: Exception) -> Response:
    """Returns an error that no call has: of the router, or of a fault. A door has its own shape for it."""
    problem, headers = _INTERNAL, {}
    if isinstance(error, HTTPException):
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = _allowed(request)
        problem = _of_router(request, error.status_code, headers.get("Allow", ""))
    response = None if doors is None else doors.refusal(request.url.path, problem)
    if response is None:
        return problem.response(headers)
    response.headers.update(headers)
    return response


def _allowed(request: Request) -> str:
    """Returns the methods of a path, as the header Allow has them. The router knows those of its first route only."""
    routes = [each for each in request.app.routes if isinstance(each, Route)]
    fitting = [each for each in routes if each.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for each in fitting for method in each.methods or ()}))


def _of_router(request: Request, status: int, allowed: str) -> Problem:
    """Returns the problem of the router's errors: unknown paths, wrong methods."""
    path = request.url.path
    if status == 405:
        verb = "are" if "," in allowed else "is"
        detail = f"{request.method} is not allowed for {path[:200]}; {allowed} {verb}"
        return Problem(405, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED", detail, title="Method not allowed")
    paths = sorted({route.path for route in request.app.routes if isinstance(route, Route)})
    meant = (
        path.rstrip("/") if path.rstrip("/") in paths else closest(path, [each for each in paths if "{" not in each])
    )
    advice = _closed_door(path, set(paths)) or (f"did you mean {meant}?" if meant else "/docs lists the paths")
    detail = f"there is no {path[:200]}; {advice}"
    return Problem(status, "NOT_FOUND", "PATH_NOT_FOUND", detail)


def _closed_door(path: str, served: Set[str]) -> str:
    """Returns the setting that opens the door whose call a path is; "" if it is none, or the door is open."""
    door = next((door for door, call in _CALLS_OF_DOORS if call.match(path)), None)
    if door is None or served & {f"{door.prefix}{call.path}" for call in door.calls}:
        return ""
    return f"it is of the door {door.name}, which the setting {door.name}_door opens"


_CALLS_OF_DOORS = [(door, compile_path(f"{door.prefix}{call.path}")[0]) for door in DOORS for call in door.calls]
_INTERNAL = Problem(500, "INTERNAL", ServiceError.reason, "internal error; the server's log has the cause")
