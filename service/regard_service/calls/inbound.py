"""How fast the messages of one caller are taken in beside others.

The event loop, or gRPC on it, copies each byte of a message several times before anything can be said of it, and does
nothing else meanwhile: 16 MB take about 20 ms. A caller who sends as much as the network carries would hold it always.
"""

import asyncio
import time
from collections.abc import Callable

from regard_service.calls.present import PresentCallers

# Beside others a caller's large messages are taken in at this rate: a twentieth of the event loop's time, about.
BYTES_PER_S = 32 * 2**20

# Smaller messages, as nearly all are, are not counted.
MAX_UNCOUNTED_BYTES = 1 << 18
RESERVED_BYTES = 1 << 20


class Inbound:
    """When callers may send their next large message. For an event loop."""

    def __init__(self, present: PresentCallers, clock: Callable[[], float] = time.monotonic) -> None:
        self._present = present
        self._clock = clock
        self._free_at: dict[str, float] = {}  # of callers who have sent large messages

    def charge(self, caller: str, num_bytes: int) -> None:
        """A caller has sent so much."""
        if num_bytes > MAX_UNCOUNTED_BYTES:
            now = self._clock()
            self._free_at = {each: at for each, at in self._free_at.items() if at > now}
            self._free_at[caller] = max(now, self._free_at.get(caller, now)) + num_bytes / BYTES_PER_S

    async def turn(self, caller: str) -> None:
        """Waits until a caller's next message may be read, if he has sent large ones and others are there.

        Of several that wait, each takes a place of `RESERVED_BYTES` until it is charged: its size is not known before.
        """
        while self.has_to_wait(caller):
            free_at = self._free_at[caller]
            await asyncio.sleep(free_at - self._clock())
            if self._free_at.get(caller, free_at) == free_at:  # nobody else has taken it
                self._free_at[caller] = free_at + RESERVED_BYTES / BYTES_PER_S
                return

    def has_to_wait(self, caller: str) -> bool:
        """Whether a caller's next message may not be read yet."""
        free_at = self._free_at.get(caller)  # of hardly any caller
        return free_at is not None and free_at > self._clock() and self._present.has_others(caller)
