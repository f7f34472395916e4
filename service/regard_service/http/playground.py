"""The playground's page and all files that it loads: read once, sent with a strict Content-Security-Policy."""

import hashlib
import mimetypes
from collections.abc import Callable, Iterator
from importlib import resources

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

# The view belongs to the client, which writes it into HTML files.
_FOLDERS = (("regard_service.http", "assets", "/assets/"), ("regard.html", "view", "/assets/view/"))
_PAGE = "index.html"
PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # ask whether it has changed
}


def page_routes(about_server: Callable[[], dict[str, object]]) -> list[Route]:
    """Returns a route for every file, and "/" for the page. `about_server` returns the facts that the page shows."""

    async def send_facts(request: Request) -> Response:
        return JSONResponse(about_server(), headers=PAGE_HEADERS)

    files = [_route(path, name, content) for path, name, content in _files()]
    return [*files, Route("/assets/server.json", send_facts)]


def _files() -> Iterator[tuple[str, str, bytes]]:
    """Yields path, file name and content."""
    for package, folder, prefix in _FOLDERS:
        for file in resources.files(package).joinpath(folder).iterdir():
            if file.is_file():
                yield "/" if file.name == _PAGE else prefix + file.name, file.name, file.read_bytes()


def _route(path: str, name: str, content: bytes) -> Route:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'

    async def send(request: Request) -> Response:
        headers = PAGE_HEADERS | {"etag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=media_type)

    return Route(path, send)
