"""A caller's quota: requests per second, and calls in flight."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from regard_service.auth.tokens import TokenEntry
from regard_service.errors import QuotaExceeded

CONCURRENCY_RETRY_S = 0.5


class CallerQuota:
    """The use of one caller's quota, on one event loop.

    A token bucket limits the requests: it holds a second's worth, at least one, and fills at the caller's rate.

    Args:
        num_processes: of the server. Each has its part of the quota.
    """

    def __init__(
        self, entry: TokenEntry, clock: Callable[[], float] = time.monotonic, *, num_processes: int = 1
    ) -> None:
        self._name = entry.name
        self._rate = None if entry.requests_per_s is None else entry.requests_per_s / num_processes
        self._limit = None if entry.max_concurrent is None else math.ceil(entry.max_concurrent / num_processes)
        self._where = "" if num_processes == 1 else f" in each of the server's {num_processes} processes"
        self._clock = clock
        self._size = max(1.0, self._rate or math.inf)
        self._left = self._size
        self._filled_at = clock()
        self._num_running = 0

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Surrounds a call.

        Raises:
            QuotaExceeded: the caller has used up its quota.
        """
        self._take_one()
        self._num_running += 1
        try:
            yield
        finally:
            self._num_running -= 1

    def _take_one(self) -> None:
        name, rate, limit = self._name, self._rate, self._limit
        if limit is not None and self._num_running >= limit:
            fault = f"{name!r} has {limit} calls in flight, which is its limit{self._where}"
            raise QuotaExceeded(fault, CONCURRENCY_RETRY_S)
        if rate is None:
            return
        now = self._clock()
        self._left = min(self._size, self._left + rate * (now - self._filled_at))
        self._filled_at = now
        if self._left < 1:
            raise QuotaExceeded(f"{name!r} may call {rate:g} times a second{self._where}", (1 - self._left) / rate)
        self._left -= 1
