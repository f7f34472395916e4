"""Runs an ASGI application on uvicorn, in a running event loop."""

import asyncio
import math
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from regard_service.http.client_timeouts import timeout_protocol

SHUTDOWN_GRACE_S = 2


# A client that opens a TLS connection and does not go on is closed after this time, or `timeout_s` if that is less.
MAX_HANDSHAKE_S = 10.0


class _Uvicorn(uvicorn.Server):
    """Leaves signals to the process, and limits the time of TLS handshakes."""

    handshake_timeout_s = MAX_HANDSHAKE_S

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens on the sockets; uvicorn's own has no setting for the time of a handshake."""
        await self.lifespan.startup()
        config = self.config

        def protocol() -> asyncio.Protocol:
            make: Any = config.http_protocol_class
            built: asyncio.Protocol = make(config=config, server_state=self.server_state, app_state=self.lifespan.state)
            return built

        loop, timeout_s = asyncio.get_running_loop(), None if config.ssl is None else self.handshake_timeout_s
        self.servers = [
            await loop.create_server(
                protocol, sock=each, ssl=config.ssl, backlog=config.backlog, ssl_handshake_timeout=timeout_s
            )
            for each in sockets or ()
        ]
        self.started = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """An HTTP server. The constructor binds the port, or raises OSError.

    Args:
        tls: the context of HTTPS; None: plain HTTP.
        timeout_s: the time for a client to send a request or the next one, and to empty a full send buffer.
        shares_port: with other processes.
        max_unread_bytes: of all full send buffers.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        *,
        timeout_s: float = 30.0,
        shares_port: bool = False,
        max_unread_bytes: int = 256 * 2**20,
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, reuse_port=shares_port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            http=timeout_protocol(timeout_s, max_unread_bytes),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # `PeerLayer` reads them, of trusted proxies
            timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
            # An idle connection stays as long as a silent one. Uvicorn's 5 s are the interval in which DeepL's library
            # asks for a document, so its request met the connection's end.
            timeout_keep_alive=math.ceil(timeout_s),
        )
        if tls is not None:
            config.load()
            config.ssl = tls
        self._uvicorn = _Uvicorn(config)
        self._uvicorn.handshake_timeout_s = min(MAX_HANDSHAKE_S, timeout_s)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts to answer, first the connections that have waited since the port was bound."""
        self._task = asyncio.get_running_loop().create_task(self._uvicorn.serve(sockets=[self._socket]))

    async def stop(self) -> None:
        """Finishes the requests in flight and closes the port."""
        self._uvicorn.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()
