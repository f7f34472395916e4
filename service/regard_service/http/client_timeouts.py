"""Connections of HTTP: closes those whose clients do not finish a request, or do not read a response, in time."""

import asyncio
from collections.abc import Callable
from typing import ClassVar, cast

import h11
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from regard_service.http.chunks import HeldFlow, Turns, TurnsConnection
from regard_service.http.connections import state_connection
from regard_service.http.joined_writes import JoinedWrites
from regard_service.http.unread_answers import UnreadAnswers

MAX_HEAD_BYTES = 1 << 16  # of a request's line and headers, as uvicorn's


class TimeoutProtocol(H11Protocol):
    """Gives a client `timeout_s` to send a whole request, and `timeout_s` to empty a full send buffer.

    uvicorn's own timeout covers connections that are idle between requests. It would keep a connection for ever that
    sends a byte now and then, or nothing at all.
    """

    timeout_s: ClassVar[float]
    unread: ClassVar[UnreadAnswers]
    turns: ClassVar[Turns]
    conn: TurnsConnection
    flow: HeldFlow
    _reading: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None
    _leave: Callable[[], None] | None = None
    _is_waiting = False  # for a turn

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the timer of the first request."""
        joined = JoinedWrites(transport, self.loop)
        super().connection_made(joined)
        self.conn = TurnsConnection(h11.SERVER, self.config.h11_max_incomplete_event_size or MAX_HEAD_BYTES)
        self.flow = HeldFlow(joined)
        self._watch_request()

    def data_received(self, data: bytes) -> None:
        """Stops the timer once a request is complete."""
        if not self._is_waiting:
            self.conn.begin_turn()
        super().data_received(data)
        self._watch_request()

    def handle_events(self) -> None:
        """Waits for a turn where more chunks have arrived than one has."""
        self._read_events()
        if self.conn.is_resting and not self._is_waiting:
            self._is_waiting = True
            self.flow.hold()
            self.turns.add(self)

    def go_on(self) -> bool:
        """Reads more of the chunks that have arrived. Returns whether there are others."""
        if self.transport.is_closing():
            return False
        self.conn.begin_turn()
        self._read_events()
        self._is_waiting = self.conn.is_resting
        if not self._is_waiting:
            self.flow.release(self.cycle)
        self._watch_request()
        return self._is_waiting

    def watch(self, leave: Callable[[], None] | None) -> None:
        """Calls a function when the client leaves, or at once if it has; None: no longer."""
        self._leave = leave
        if leave is None:
            return
        self.flow.resume_reading()  # a large body has paused it, and its end would not be read
        if self.cycle.disconnected:
            leave()

    def _read_events(self) -> None:
        """Handles what has arrived, and lets the request know its connection."""
        super().handle_events()
        if self.scope is not None:
            state_connection(cast(Scope, self.scope), self)

    def on_response_complete(self) -> None:
        """Starts the timer of the next request."""
        super().on_response_complete()
        self._watch_request()

    def pause_writing(self) -> None:
        """Starts the timer of a full send buffer."""
        super().pause_writing()
        self.unread.add(self.transport)
        self._writing = self._writing or self.loop.call_later(self.timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Stops the timer of the send buffer."""
        super().resume_writing()
        self.unread.remove(self.transport)
        self._writing = _cancel(self._writing)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops both timers, and ends the call."""
        self.unread.remove(self.transport)
        super().connection_lost(exc)
        if self._leave is not None:
            self._leave()
        self._reading, self._writing = _cancel(self._reading), _cancel(self._writing)

    def _watch_request(self) -> None:
        """Runs the timer from the start of the connection, or the end of a response, to the last byte of a request."""
        is_incomplete = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        if not is_incomplete:
            self._reading = _cancel(self._reading)
        elif self._reading is None:
            self._reading = self.loop.call_later(self.timeout_s, self.transport.abort)


def timeout_protocol(timeout_s: float, max_unread_bytes: int) -> type[TimeoutProtocol]:
    """Returns the protocol with its limits, as the class that uvicorn takes."""
    limits = {"timeout_s": timeout_s, "unread": UnreadAnswers(max_unread_bytes), "turns": Turns()}
    return type("TimeoutProtocol", (TimeoutProtocol,), limits)


def _cancel(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    if timer is not None:
        timer.cancel()
    return None
