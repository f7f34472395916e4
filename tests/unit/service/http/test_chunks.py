"""Bodies in very many chunks, over a real connection: the application gets them whole, and the event loop goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import h11
import pytest

from regard_service.http import chunks
from regard_service.http.chunks import Turns, TurnsConnection
from regard_service.http.server import HttpServer
from tests.waiting import PATIENCE_S, until

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body; to a path "/early" before it is read."""
    size, more = 0, scope["path"] != "/early"
    while more:
        event = await receive()
        size, more = size + len(event.get("body", b"")), event.get("more_body", False)
    content = str(size).encode()
    length = [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": content})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = HttpServer(app, "127.0.0.1", 0)
    server.start()
    yield server.port
    await server.stop()


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of chunks that each turn has read."""
    made: list[int] = []
    begin, read = TurnsConnection.begin_turn, TurnsConnection.next_event

    def begin_turn(connection: TurnsConnection) -> None:
        made.append(0)
        begin(connection)

    def next_event(connection: TurnsConnection) -> Any:
        event = read(connection)
        made[-1] += type(event) is h11.Data
        return event

    monkeypatch.setattr(chunks, "CHUNKS_A_TURN", 16)
    monkeypatch.setattr(TurnsConnection, "begin_turn", begin_turn)
    monkeypatch.setattr(TurnsConnection, "next_event", next_event)
    return made


async def answers(port: int, sent: bytes, number: int) -> list[bytes]:
    """Sends requests at once; returns the bodies of their answers."""
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        await writer.drain()
        found = []
        for _ in range(number):
            head = await reader.readuntil(b"\r\n\r\n")
            (length,) = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            found.append(await reader.readexactly(length))
        writer.close()
        return found


async def test_a_body_of_very_many_chunks_is_read_in_turns(port: int, turns: list[int]) -> None:
    body = b"1\r\na\r\n" * 5000
    assert await answers(port, HEAD + body + END, 1) == [b"5000"]
    assert max(turns) <= 16
    assert sum(turns) == 5000


async def test_requests_behind_it_are_answered(port: int, turns: list[int]) -> None:
    """Also that whose chunks arrive while the first one's are read."""
    one = HEAD + b"1\r\na\r\n" * 300 + END
    assert await answers(port, one * 4, 4) == [b"300"] * 4
    assert max(turns) <= 16


async def test_what_nobody_reads_is_passed_over_in_turns(port: int, turns: list[int]) -> None:
    early = HEAD.replace(b"/ ", b"/early ", 1) + b"1\r\na\r\n" * 2000 + END
    assert await answers(port, early, 1) == [b"0"]
    await until(lambda: sum(turns) >= 16)
    assert max(turns) <= 16


async def test_large_chunks_and_bodies_without_are_whole(port: int, turns: list[int]) -> None:
    large = HEAD + (b"%x\r\n" % 100_000 + b"a" * 100_000 + b"\r\n") * 40 + END
    assert await answers(port, large, 1) == [b"4000000"]
    plain = b"POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 3000000\r\n\r\n" + b"a" * 3_000_000
    assert await answers(port, plain, 1) == [b"3000000"]


async def test_connections_take_turns_for_a_quarter_of_the_time() -> None:
    loop, order, rests = asyncio.get_running_loop(), list[str](), list[float]()
    now = 0.0

    class Resting:
        def __init__(self, name: str) -> None:
            self.name = name

        def go_on(self) -> bool:
            nonlocal now
            now += 0.002
            order.append(self.name)
            return order.count(self.name) < 3

    def call_later(delay: float, callback: Callable[[], None]) -> None:
        rests.append(delay)
        loop.call_soon(callback)

    stand_in = SimpleNamespace(time=lambda: now, call_soon=loop.call_soon, call_later=call_later)
    with mock.patch.object(asyncio, "get_running_loop", return_value=stand_in):
        turns = Turns()
        turns.add(Resting("one"))
        turns.add(Resting("two"))
        while len(order) < 6:
            await asyncio.sleep(0)
    assert order == ["one", "two"] * 3
    assert rests == [pytest.approx(0.006)] * 5
