"""Tells when messages take too much of the process' memory, and gives freed memory back to the system."""

import asyncio
import ctypes
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

STATM = Path("/proc/self/statm")
MEASURED_FOR_S = 0.05
TRIM_INTERVAL_S = 2.0
FIRST_WAIT_S = 5.0  # between two times that memory is given back
MAX_WAIT_S = 60.0


def resident_bytes() -> int:
    """Returns the memory that this process has resident; 0 where the system does not tell."""
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def give_back() -> None:
    """Returns freed memory to the system. The C library keeps it otherwise, in pieces between what is in use."""
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    return found


class MemoryPressure:
    """Compares the process' memory with what it was when the server began to serve.

    The size of a message is not known before it has arrived, and most are far smaller than the limit. So what they
    really take is measured.

    Args:
        max_bytes: what may be added to the memory of the beginning.
        measure: returns the resident memory.
    """

    def __init__(
        self,
        max_bytes: int,
        measure: Callable[[], int] = resident_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_bytes = max_bytes
        self._measure = measure
        self._clock = clock
        self._base = self._kept = measure()  # `_kept`: after memory was last given back
        self._measured_at = self._trimmed_at = -1e9
        self._wait_s = FIRST_WAIT_S
        self._is_high = False

    def begin(self) -> None:
        """Takes the present memory as that of the beginning."""
        self._base = self._kept = self._measure()

    def is_high(self) -> bool:
        """Whether too much was added, also after freed memory was given back."""
        now = self._clock()
        if now - self._measured_at > MEASURED_FOR_S:
            self._measured_at = now
            self._is_high = self._measure() - self._base > self._max_bytes
            if self._is_high and now - self._trimmed_at > TRIM_INTERVAL_S:
                self._trim(now)
                self._is_high = self._kept - self._base > self._max_bytes
        return self._is_high

    async def run(self) -> None:
        """Gives freed memory back for as long as the server runs. A trim takes about a millisecond, in a thread."""
        while True:
            await asyncio.sleep(FIRST_WAIT_S)
            if self.is_due():
                await asyncio.to_thread(self.relax)

    def is_due(self) -> bool:
        """Whether to give memory back now: a good part of the maximum is in use.

        Whether the C library could return some of it is not known before it tries: what was in use at the last trim
        may have been freed since. So it tries again, more rarely while that brings little, but at once where much
        was added since.
        """
        resident, limit = self._measure(), self._max_bytes // 4
        waited_s = self._clock() - self._trimmed_at
        has_grown = resident - self._kept > limit and waited_s >= FIRST_WAIT_S
        return resident - self._base > limit and (has_grown or waited_s >= self._wait_s)

    def relax(self) -> None:
        """Gives memory back."""
        before = self._measure()
        self._trim(self._clock())
        is_worth_it = before - self._kept > self._max_bytes // 16
        self._wait_s = FIRST_WAIT_S if is_worth_it else min(2 * self._wait_s, MAX_WAIT_S)

    def _trim(self, now: float) -> None:
        self._trimmed_at = now
        give_back()
        self._kept = self._measure()
