"""How much a caller may ask for: so many requests a second, so many at a time."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from regard_service.errors import QuotaExceeded
from regard_service.guard.tokens import TokenEntry

CONCURRENCY_RETRY_S = 0.5


class CallerLimits:
    """One caller's use, on one event loop.

    Requests are counted by a token bucket: it holds a second's worth, at least one, and fills at the caller's rate.
    """

    def __init__(self, entry: TokenEntry, clock: Callable[[], float] = time.monotonic) -> None:
        self._entry = entry
        self._clock = clock
        self._size = max(1.0, entry.requests_per_s or math.inf)
        self._left = self._size
        self._counted_at = clock()
        self._num_running = 0

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Surrounds a call.

        Raises:
            QuotaExceeded: the caller has used up what it has.
        """
        self._take_one()
        self._num_running += 1
        try:
            yield
        finally:
            self._num_running -= 1

    def _take_one(self) -> None:
        name, rate, most = self._entry.name, self._entry.requests_per_s, self._entry.max_concurrent
        if most is not None and self._num_running >= most:
            raise QuotaExceeded(f"{name!r} has {most} calls in flight, which is its limit", CONCURRENCY_RETRY_S)
        if rate is None:
            return
        now = self._clock()
        self._left = min(self._size, self._left + rate * (now - self._counted_at))
        self._counted_at = now
        if self._left < 1:
            raise QuotaExceeded(f"{name!r} may call {rate:g} times a second", (1 - self._left) / rate)
        self._left -= 1
