"""Writes metrics for scrapers, however many there are: for a small part of the event loop's time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

# Of ten times that writing the metrics takes, nine are left to calls.
REST = 9.0
MAX_REST_S = 1.0


class Scrapes:
    """Writes the metrics. Scrapers that come while they rest get the same text, which is newer than their request."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()
        self._texts: dict[str, tuple[float, bytes]] = {}  # by content type: when it was begun
        self._rest_until = 0.0

    async def text(self, content_type: str, write: Callable[[], Awaitable[bytes]]) -> bytes:
        """Returns metrics that are written after this was called."""
        came = self._clock()
        async with self._lock:
            begun, text = self._texts.get(content_type, (-1.0, b""))
            if begun > came:
                return text
            await asyncio.sleep(self._rest_until - self._clock())
            begun = self._clock()
            text = await write()
            now = self._clock()
            self._rest_until = now + min(REST * (now - begun), MAX_REST_S)
            self._texts[content_type] = (begun, text)
            return text
