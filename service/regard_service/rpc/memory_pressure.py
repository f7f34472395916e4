"""Tells when messages take too much of the process' memory, and gives freed memory back to the system."""

import ctypes
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

STATM = Path("/proc/self/statm")
MEASURED_FOR_S = 0.05
TRIM_INTERVAL_S = 2.0
RELAX_INTERVAL_S = 5.0


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

    def relax(self) -> None:
        """Gives memory back if a good part of the maximum was added since it was last given back. Takes some
        milliseconds; runs in a thread when little is going on.
        """
        now = self._clock()
        if now - self._trimmed_at > RELAX_INTERVAL_S and self._measure() - self._kept > self._max_bytes // 4:
            self._trim(now)

    def _trim(self, now: float) -> None:
        self._trimmed_at = now
        give_back()
        self._kept = self._measure()
