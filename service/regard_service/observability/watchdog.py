"""The watchdog: notices that the engine has stopped stepping, and that it steps again."""

import asyncio
import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

CHECKS_PER_TIMEOUT = 10
MAX_INTERVAL_S = 1.0


class Watchdog:
    """Asks at intervals for how long the engine has been at one step.

    Args:
        stalled_s: for how long; 0 if it has nothing to do.
        timeout_s: longer than any healthy step.
        on_change: told False when the engine is taken for stuck, True when it is not any more.
    """

    def __init__(self, stalled_s: Callable[[], float], timeout_s: float, on_change: Callable[[bool], None]) -> None:
        self._stalled_s = stalled_s
        self._timeout_s = timeout_s
        self._on_change = on_change
        self._steps = True

    async def run(self) -> None:
        """Watches until it is cancelled."""
        interval = min(MAX_INTERVAL_S, self._timeout_s / CHECKS_PER_TIMEOUT)
        while True:
            begin = time.monotonic()
            await asyncio.sleep(interval)
            # Where the whole process stood still (SIGSTOP, a machine put to sleep), the engine did too: it gets the
            # time of another check.
            stood_still = time.monotonic() - begin > self._timeout_s / 2
            if not stood_still:
                self._check()

    def _check(self) -> None:
        stalled_s = self._stalled_s()
        steps = stalled_s <= self._timeout_s
        if steps == self._steps:
            return
        self._steps = steps
        if steps:
            log.warning("the engine steps again")
        else:
            log.error("the engine is stuck: a batch has not finished its step for %.1f s", stalled_s)
        self._on_change(steps)
