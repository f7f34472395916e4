"""A real server with the shipped models, on free loopback ports, for each module of tests."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvloop

import regard
from regard_service.app.server import Server
from regard_service.app.settings import Settings
from tests.waiting import PATIENCE_S


@contextmanager
def running(settings: Settings) -> Iterator[Server]:
    """Runs a server in a thread, on the kind of event loop that `regard serve` has."""
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = Server(settings)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(PATIENCE_S)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()


@pytest.fixture(scope="module")
def shipped_server() -> Iterator[Server]:
    with running(Settings(grpc_port=0, http_port=0)) as server:
        yield server


@pytest.fixture(scope="module")
def client(shipped_server: Server) -> Iterator[regard.Client]:
    with regard.Client(f"127.0.0.1:{shipped_server.grpc_port}") as client:
        yield client
