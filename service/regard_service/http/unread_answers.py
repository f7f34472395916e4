"""Bounds what is kept of answers that clients do not read, over all HTTP connections."""

import time
from collections.abc import Callable
from typing import Protocol

# Connections that have not read for so long give way first: a slow client reads at least something in the meantime.
PATIENCE_S = 2.0


class Transport(Protocol):
    """What is needed of a connection."""

    def get_write_buffer_size(self) -> int:
        """Bytes that wait to be sent."""

    def abort(self) -> None:
        """Closes the connection and drops what waits."""


class UnreadAnswers:
    """The connections whose send buffers are full, longest first.

    Memory grows only where another answer is written. So the sum is looked at when a connection joins.

    Args:
        max_bytes: of all send buffers. Half of it is open to clients who read within `PATIENCE_S`.
    """

    def __init__(self, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._since: dict[Transport, float] = {}

    def add(self, transport: Transport) -> None:
        """A send buffer is full. Closes connections, longest unread first, where there is too much of all."""
        now = self._clock()
        self._since.setdefault(transport, now)
        total = sum(each.get_write_buffer_size() for each in self._since)
        for each, since in [*self._since.items()]:
            limit = self._max_bytes // 2 if now - since > PATIENCE_S else self._max_bytes
            if total <= limit or len(self._since) == 1:
                break
            total -= each.get_write_buffer_size()
            del self._since[each]
            each.abort()

    def remove(self, transport: Transport) -> None:
        """A client has read, or is gone."""
        self._since.pop(transport, None)
