"""The head and the body of an answer leave in one write."""

import asyncio
from typing import Any

from regard_service.http.joined_writes import MAX_HELD_BYTES, JoinedWrites


class Connection(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: Any) -> None:
        assert not self.is_closed
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def get_write_buffer_size(self) -> int:
        return 1000


async def test_what_one_turn_of_the_loop_writes_is_sent_at_once() -> None:
    connection = Connection()
    joined = JoinedWrites(connection, asyncio.get_running_loop())
    for part in (b"head", b"", b"body"):
        joined.write(part)
    assert (connection.written, joined.get_write_buffer_size()) == ([], 1008)
    await asyncio.sleep(0)
    assert (connection.written, joined.get_write_buffer_size()) == ([b"headbody"], 1000)
    joined.write(b"next")
    await asyncio.sleep(0)
    assert connection.written == [b"headbody", b"next"]


async def test_much_is_sent_without_waiting_for_the_next_turn() -> None:
    connection = Connection()
    joined = JoinedWrites(connection, asyncio.get_running_loop())
    joined.write(b"head")
    joined.write(bytes(MAX_HELD_BYTES))
    assert connection.written == [b"head" + bytes(MAX_HELD_BYTES)]


async def test_closing_sends_what_is_held_and_aborting_drops_it() -> None:
    closed, aborted, lost = Connection(), Connection(), Connection()
    for connection in (closed, aborted, lost):
        joined = JoinedWrites(connection, asyncio.get_running_loop())
        joined.write(b"bye")
        if connection is closed:
            joined.close()
        elif connection is aborted:
            joined.abort()
        else:
            connection.is_closed = True
    await asyncio.sleep(0)
    assert [each.written for each in (closed, aborted, lost)] == [[b"bye"], [], []]
    assert all(each.is_closed for each in (closed, aborted, lost))
