"""How many steps a worker makes while it holds a batch.

Each visit to a batch costs something beside its graphs: the lock, the queue, the search, the updates. Where a step is
short this is a good part of all, and more steps a visit share it. But requests that have ended keep their slots until
the visit is over, and others wait for free ones meanwhile. So a visit goes on until the waste exceeds the cost of
another visit: never more than twice what the best choice would cost that knows when each request ends (ski rental;
Karlin et al. 1988, "Competitive Snoopy Caching").

While another lane waits for a worker a visit has one step. Otherwise a lane whose few requests have long visits would
be ahead of one with many, whose visits are short because others wait for its slots.
"""

from collections.abc import Callable

from regard_service.engine.policy.lane import BatchState, Lane

# What a visit costs beside its graphs, about; it hardly depends on the model.
VISIT_OVERHEAD_S = 0.00015

# No visit lasts longer: streams, cancellations and new requests wait for its end.
MAX_VISIT_S = 0.004


class StepBudget:
    """The budget of one visit of a worker to a lane's batch.

    Args:
        others_wait: whether another lane has work that no worker is at.
        clock: seconds, monotonic.
    """

    def __init__(
        self, lane: Lane, batch: BatchState, others_wait: Callable[[], bool], clock: Callable[[], float]
    ) -> None:
        self._lane, self._batch, self._others_wait, self._clock = lane, batch, others_wait, clock
        self._began = clock()
        self._wasted_s = 0.0

    def has_more(self, num_ended: int) -> bool:
        """Whether the visit has another step, after `num_ended` of the batch's requests have ended."""
        lane, batch = self._lane, self._batch
        if not lane.pace.is_known:
            return False
        num_idle = num_ended + batch.num_arrived + min(lane.num_waiting, batch.num_free)
        self._wasted_s += num_idle * lane.pace.slot_s
        is_short = self._wasted_s <= VISIT_OVERHEAD_S and self._clock() - self._began < MAX_VISIT_S
        return is_short and not self._others_wait()
