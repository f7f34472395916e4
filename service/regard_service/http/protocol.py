"""HTTP connections whose clients neither finish a request nor read an answer are closed."""

import asyncio
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class PatientProtocol(H11Protocol):
    """Gives a client `timeout_s` seconds for a whole request, and as many to read what fills the buffer.

    uvicorn's own time-out is for connections that are idle between requests; one that sends a byte now and then, or
    nothing from the start, it would keep for ever.
    """

    timeout_s: ClassVar[float]
    _reading: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing = self._writing or self.loop.call_later(self.timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._writing = _cancel(self._writing)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._reading, self._writing = _cancel(self._reading), _cancel(self._writing)

    def _watch_request(self) -> None:
        """The time runs from the connection's beginning, or the last answer's end, to the request's last byte."""
        is_incomplete = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        if not is_incomplete:
            self._reading = _cancel(self._reading)
        elif self._reading is None:
            self._reading = self.loop.call_later(self.timeout_s, self.transport.abort)


def patient_for(timeout_s: float) -> type[PatientProtocol]:
    """The protocol with that time; uvicorn takes a class."""
    return type("PatientProtocol", (PatientProtocol,), {"timeout_s": timeout_s})


def _cancel(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    if timer is not None:
        timer.cancel()
    return None
