"""Bodies in very many chunks are read in turns: a chunk of a byte takes some ten microseconds of the event loop.

Without turns, what arrives at once, up to 40,000 chunks, holds the event loop for 400 ms, whoever sends it.
"""

import asyncio
from collections import deque
from typing import Any, Protocol

import h11
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl

from regard_service.calls.interpreter import interpreter_shared

CHUNKS_A_TURN = 256
"""Two milliseconds' worth."""


RESTS = 3
"""After a turn, the next begins after this many times as long."""


class TurnsConnection(h11.Connection):
    """A connection that pretends to need data once a turn has had its chunks.

    Attributes:
        is_resting: whether what has arrived waits for the next turn.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.is_resting = False
        self._num_left = CHUNKS_A_TURN

    def begin_turn(self) -> None:
        """Allows the next chunks."""
        self.is_resting = False
        self._num_left = CHUNKS_A_TURN

    def next_event(self) -> Any:
        """Returns the next event, NEED_DATA at the end of a turn."""
        if not self._num_left:
            self.is_resting = True
            return h11.NEED_DATA
        event = super().next_event()
        if type(event) is h11.Data:
            self._num_left -= 1
        return event


class HeldFlow(FlowControl):
    """Reads nothing more while the connection rests, whoever asks for it."""

    _is_held = False

    def hold(self) -> None:
        """Stops to read."""
        self._is_held = True
        self.pause_reading()

    def release(self, cycle: Any) -> None:
        """Reads again, unless the application has to read first. Args: cycle: the request in progress, if any."""
        self._is_held = False
        if cycle is None or cycle.response_complete or len(cycle.body) <= HIGH_WATER_LIMIT:
            self.resume_reading()

    def resume_reading(self) -> None:
        """Reads again when the connection does not rest."""
        if not self._is_held:
            super().resume_reading()


class Resting(Protocol):
    """A connection that goes on when it has a turn."""

    def go_on(self) -> bool:
        """Works for a turn. Returns whether there is more to do."""


class Turns:
    """Gives the connections of an event loop turns, one after the other, at most a quarter of the time."""

    def __init__(self) -> None:
        self._waiting: deque[Resting] = deque()
        self._is_going = False

    def add(self, connection: Resting) -> None:
        """A connection rests."""
        self._waiting.append(connection)
        if not self._is_going:
            self._is_going = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        loop, connection = asyncio.get_running_loop(), self._waiting.popleft()
        began = loop.time()
        with interpreter_shared():
            if connection.go_on():
                self._waiting.append(connection)
        self._is_going = bool(self._waiting)
        if self._is_going:
            loop.call_later(RESTS * (loop.time() - began), self._next)
