"""Runs an ASGI application on uvicorn, within an event loop that runs already."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from regard_service.guard.tls import Certificates
from regard_service.http.protocol import patient_for

GRACE_S = 2


class _Uvicorn(uvicorn.Server):
    """Leaves signals to the process that it is a part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """An HTTP server; its port is taken, or refused with OSError, when the object is made.

    Args:
        certificates: for HTTPS; None is plain HTTP.
        timeout_s: for a client to send a request, and to read what it does not take.
    """

    def __init__(
        self, app: Starlette, host: str, port: int, certificates: Certificates | None = None, *, timeout_s: float = 30.0
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            http=patient_for(timeout_s),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        if certificates is not None:
            config.load()
            config.ssl = certificates.https_context()
        self._uvicorn = _Uvicorn(config)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to answer; connections that came since the port was taken have waited."""
        self._task = asyncio.get_running_loop().create_task(self._uvicorn.serve(sockets=[self._socket]))

    async def stop(self) -> None:
        self._uvicorn.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()
