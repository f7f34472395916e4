"""Callers who are likely to be back at once: a worker waits for them before it serves a caller of many requests.

A caller with one call at a time leaves the engine between two calls. A worker that begins with somebody's thick batch
in that moment is busy when the caller is back a millisecond or two later, and so is its core, on which the event loop
would answer him. So the worker waits: no longer than the caller's last request took, and no longer than
`MAX_EXPECTED_S` (anticipatory scheduling; Iyer and Druschel 2001, "Anticipatory Scheduling: A Disk Scheduling Framework
to Overcome Deceptive Idleness in Synchronous I/O").
"""

MAX_EXPECTED_S = 0.01

# Callers beyond this many are not waited for: so many are never all away.
MAX_CALLERS = 64


class Expected:
    """Callers who have just left, with the time until which they are expected."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def left(self, caller: str, stay_s: float, now: float) -> None:
        """A caller's last request has ended. Args: stay_s: how long it took."""
        if len(self._until) >= MAX_CALLERS:
            self._drop_past(now)
        if len(self._until) < MAX_CALLERS:
            self._until[caller] = now + min(stay_s, MAX_EXPECTED_S)

    def came(self, caller: str) -> None:
        """A caller has a request."""
        self._until.pop(caller, None)

    def until(self, now: float) -> float:
        """Returns when the last of them is expected no longer; `now` if nobody is."""
        if not self._until:
            return now
        self._drop_past(now)
        return max(self._until.values(), default=now)

    def _drop_past(self, now: float) -> None:
        for caller in [each for each, until in self._until.items() if until <= now]:
            del self._until[caller]
