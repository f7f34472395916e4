"""Calls whose clients leave."""

import asyncio
from typing import Any

import grpc
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from regard_service.http.server import HttpServer
from regard_service.http.unary import UnreadMessage, context_of, run_unary
from tests.waiting import PATIENCE_S


async def _respond(answer: Any) -> Response:
    return Response(answer)


def _refuse(context: Any) -> Response:
    return Response(status_code=500)


def _server(behavior: Any) -> HttpServer:
    handler: Any = grpc.unary_unary_rpc_method_handler(behavior)

    async def answer(request: Request) -> Response:
        message = UnreadMessage(request, request.body)
        return await run_unary(handler, message, context_of(request), _respond, _refuse)

    server = HttpServer(Starlette(routes=[Route("/", answer, methods=["POST"])]), "127.0.0.1", 0)
    server.start()
    return server


@pytest.mark.parametrize("size", [0, 100, 1_000_000], ids=["no body", "a small body", "one that pauses reading"])
async def test_a_client_that_leaves_after_its_body_cancels_the_call(size: int) -> None:
    has_begun, was_cancelled = asyncio.Event(), asyncio.Event()

    async def behavior(read: Any, context: Any) -> bytes:
        assert len(await read()) == size
        has_begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            was_cancelled.set()
            raise
        return b""

    server = _server(behavior)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % size + bytes(size))
    async with asyncio.timeout(PATIENCE_S):
        await has_begun.wait()
        writer.close()
        await was_cancelled.wait()
        await server.stop()


async def test_one_connection_serves_a_call_after_another() -> None:
    async def behavior(read: Any, context: Any) -> bytes:
        return bytes(await read())

    server = _server(behavior)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    async with asyncio.timeout(PATIENCE_S):
        for body in (b"one", b"two"):
            writer.write(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\n" + body)
            head = await reader.readuntil(b"\r\n\r\n")
            assert (head.split(b"\r\n")[0], await reader.readexactly(3)) == (b"HTTP/1.1 200 OK", body)
        writer.close()
        await server.stop()
