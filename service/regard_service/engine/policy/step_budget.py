"""How many steps a worker makes while it is at a batch.

A turn costs something beside its graphs: the lock, the queue, the search, what callers are told. Where a step is short
that is a good part of all, and more steps a turn share it. But requests that have ended keep their slots until the turn
is over, and others wait for free ones meanwhile. So a turn goes on until more has been wasted than another one costs:
never more than twice what the best choice would cost that knows when each request ends (ski rental; Karlin et al. 1988,
"Competitive Snoopy Caching").

While another lane waits for a worker a turn has one step. A lane whose few requests go on through long turns would be
ahead of one with many, whose turns are short since others wait for its slots.
"""

import time
from collections.abc import Callable

from regard_service.engine.core.batch import RunningBatch
from regard_service.engine.policy.lane import Lane

# What a turn costs beside its graphs, about; hardly depends on the model.
OVERHEAD_S = 0.00015

# No turn goes on for longer than this: streams, and who leaves or comes wait for its end.
MAX_TURN_S = 0.004


class Turn:
    """One turn of a worker that steps a lane's batch.

    Args:
        others_wait: tells whether another lane has something to do that no worker is at.
    """

    def __init__(self, lane: Lane, batch: RunningBatch, others_wait: Callable[[], bool]) -> None:
        self._lane, self._batch, self._others_wait = lane, batch, others_wait
        self._began = time.monotonic()
        self._wasted_s = 0.0

    def goes_on(self, num_ended: int) -> bool:
        """Whether it has another step, so many of the batch's requests having ended."""
        lane, batch = self._lane, self._batch
        if not lane.pace.is_known:
            return False
        num_arrived = sum(len(encoded.tickets) for encoded in batch.arrived)
        num_idle = num_ended + num_arrived + min(lane.num_waiting, batch.num_free)
        self._wasted_s += num_idle * lane.pace.slot_s
        is_short = self._wasted_s <= OVERHEAD_S and time.monotonic() - self._began < MAX_TURN_S
        return is_short and not self._others_wait()
