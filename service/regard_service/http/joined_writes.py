"""Sends the head of an answer together with its body: uvicorn writes each by itself, and uvloop sends at once."""

import asyncio
from typing import Any

MAX_HELD_BYTES = 64 * 1024


class JoinedWrites(asyncio.Transport):
    """A connection that sends what one turn of the event loop writes in one system call, and wakes its client once.

    Args:
        transport: the connection.
        loop: the event loop, whose next turn sends what is held.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self._num_held = 0

    def write(self, data: Any) -> None:
        """Holds the data; sends all that is held if that exceeds `MAX_HELD_BYTES`."""
        if not data:
            return
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._num_held += len(data)
        if self._num_held > MAX_HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Sends what is held; drops it if the connection is closed."""
        held, self._held, self._num_held = self._held, [], 0
        if held and not self._transport.is_closing():
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))

    def close(self) -> None:
        """Closes the connection when all is sent."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Closes the connection, and drops what waits."""
        self._held.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether the connection is closed, or closes."""
        return self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        """Bytes that wait to be sent."""
        return self._num_held + self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the connection knows of itself."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Reads no more from the client."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads again from the client."""
        self._transport.resume_reading()
