"""How long the HTTP server keeps connections."""

from unittest.mock import patch

import uvicorn

from regard_service.http.server import HttpServer


async def app(scope: object, receive: object, send: object) -> None:
    """Answers nothing."""


def test_an_idle_connection_stays_as_long_as_a_silent_one() -> None:
    with patch("uvicorn.Config", wraps=uvicorn.Config) as config:
        server = HttpServer(app, "127.0.0.1", 0, timeout_s=12.5)
    server._socket.close()
    assert config.call_args.kwargs["timeout_keep_alive"] == 13
