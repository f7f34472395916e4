"""A lane: requests that may share a batch, and the batches they share."""

import time
from dataclasses import dataclass, field

from regard_service.bundle import ImageSource
from regard_service.engine.core.batch import Encoded, RunningBatch
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.core.slots import SlotsShape
from regard_service.engine.core.ticket import Ticket
from regard_service.engine.policy.caller_queue import FairQueue
from regard_service.engine.policy.pace import Pace
from regard_service.engine.runtime.runner import Runner


@dataclass(eq=False)
class Lane:
    """One model, one source-length bucket, one beam width: what waits for it, and what runs.

    Attributes:
        claimed: the batches that a worker steps.
        num_encoding: workers that encode for a batch that another one steps.
    """

    runner: Runner
    shape: SlotsShape
    pace: Pace
    queue: FairQueue[Ticket] = field(default_factory=FairQueue)
    batches: list[RunningBatch] = field(default_factory=list)
    claimed: set[RunningBatch] = field(default_factory=set)
    num_encoding: int = 0

    @property
    def num_waiting(self) -> int:
        return len(self.queue)

    @property
    def num_live(self) -> int:
        """Requests that have left the queue."""
        return sum(batch.num_requests for batch in self.batches)

    @property
    def num_slots(self) -> int:
        """Slots that its requests have or wait for."""
        return (self.num_live + self.num_waiting) * self.shape.num_beams

    @property
    def num_busy(self) -> int:
        """Batches that have requests, or are about to."""
        return sum(1 for batch in self.batches if batch.num_requests or batch in self.claimed)

    @property
    def takes_pictures(self) -> bool:
        return isinstance(self.runner.manifest.source, ImageSource)

    def unclaimed_live(self) -> RunningBatch | None:
        """The batch with requests that nobody runs, the longest untouched first."""
        ready = (batch for batch in self.batches if batch.num_live or batch.arrived)
        return next((batch for batch in ready if batch not in self.claimed), None)

    def fullest_claimed(self) -> RunningBatch | None:
        """Of the batches that are being stepped and have free rows, that with fewest; None if none has any."""
        with_room = (batch for batch in self.claimed if batch.num_free > 0)
        return min(with_room, key=lambda each: each.num_free, default=None)

    def is_fullest(self, batch: RunningBatch) -> bool:
        """Whether no other batch has fewer free rows, of those that have any."""
        others = (each for each in self.batches if each is not batch and each.num_free > 0)
        return all(batch.num_free <= other.num_free for other in others)

    def turn_s(self, num_more: int) -> float:
        """How long a worker is at one of the lane's batches, with so many requests more: a step, and what it encodes
        before.
        """
        num_requests = (self.num_live + self.num_waiting + num_more) / max(1, self.num_busy)
        num_slots = min(self.shape.max_slots, num_requests * self.shape.num_beams)
        return max(self.pace.step_s(num_slots), self.pace.turn_s if self.num_busy else 0.0)

    def expected_tokens(self, request: EngineRequest) -> int:
        """What a request will cost, about: its source's positions, and those of its target for every beam."""
        num_source = self.runner.source_length(request.source)
        return num_source + round(self.shape.num_beams * self.pace.num_steps(request.generation, num_source))


@dataclass(frozen=True, eq=False)
class Claim:
    """What one worker does next: it steps a batch that it has to itself, or encodes for one that another steps.

    Attributes:
        admitted: requests that it encodes first.
        arrived: those that others have encoded for it.
        steps: whether it steps the batch.
        since: `time.monotonic()` when the worker took it.
    """

    lane: Lane
    batch: RunningBatch
    admitted: list[Ticket]
    arrived: list[Encoded] = field(default_factory=list)
    steps: bool = True
    since: float = field(default_factory=time.monotonic)
