"""Who has had a call lately: what a caller may take of the process depends on whether others are there."""

import time
from collections.abc import Callable

# A caller is there for so long after his last call.
STAY_S = 1.0


class PresentCallers:
    """Callers, with the time of their last call. Threads may ask while the event loop notes calls."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._came: dict[str, float] = {}

    def meet(self, caller: str) -> None:
        """Notes that a caller has a call."""
        self._came[caller] = self._clock()

    def has_several(self) -> bool:
        """Whether there are several callers."""
        self._drop_gone()
        return len(self._came) > 1

    def has_others(self, caller: str) -> bool:
        """Whether there is a caller beside this one."""
        self._drop_gone()
        return len(self._came) > (caller in self._came)

    def _drop_gone(self) -> None:
        now = self._clock()
        for caller, came in [*self._came.items()]:
            if now - came > STAY_S:
                self._came.pop(caller, None)
