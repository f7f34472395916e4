"""The watchdog: detects that the engine is stuck in a step, and that it steps again."""

import asyncio
import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

CHECKS_PER_TIMEOUT = 10
MAX_INTERVAL_S = 1.0


class Watchdog:
    """Checks at intervals how long the engine's current step takes.

    Args:
        stalled_s: returns the time since the step began; 0 while the engine is idle.
        timeout_s: longer than any healthy step.
        on_change: called with False when the engine becomes stuck, with True when it steps again.
    """

    def __init__(self, stalled_s: Callable[[], float], timeout_s: float, on_change: Callable[[bool], None]) -> None:
        self._stalled_s = stalled_s
        self._timeout_s = timeout_s
        self._on_change = on_change
        self._is_stepping = True

    async def run(self) -> None:
        """Watches until it is cancelled."""
        interval = min(MAX_INTERVAL_S, self._timeout_s / CHECKS_PER_TIMEOUT)
        while True:
            begin = time.monotonic()
            await asyncio.sleep(interval)
            # If the whole process was suspended (SIGSTOP, a machine asleep), so was the engine: it gets another
            # interval.
            was_suspended = time.monotonic() - begin > self._timeout_s / 2
            if not was_suspended:
                self._check()

    def _check(self) -> None:
        stalled_s = self._stalled_s()
        is_stepping = stalled_s <= self._timeout_s
        if is_stepping == self._is_stepping:
            return
        self._is_stepping = is_stepping
        if is_stepping:
            log.warning("the engine steps again")
        else:
            log.error("the engine is stuck: a batch has not finished its step for %.1f s", stalled_s)
        self._on_change(is_stepping)
