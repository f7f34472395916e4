"""A lane: requests that may share a batch, and the batches they share."""

import time
from dataclasses import dataclass, field

from models.bundle import ImageSource
from service.engine.batch import RunningBatch
from service.engine.pace import Pace
from service.engine.queue import FairQueue
from service.engine.request import EngineRequest
from service.engine.runner import Runner
from service.engine.slots import SlotsShape
from service.engine.ticket import Ticket


@dataclass(eq=False)
class Lane:
    """One model, one source-length bucket, one beam width: what waits for it, and what runs."""

    runner: Runner
    shape: SlotsShape
    pace: Pace
    queue: FairQueue[Ticket] = field(default_factory=FairQueue)
    batches: list[RunningBatch] = field(default_factory=list)
    claimed: set[RunningBatch] = field(default_factory=set)

    @property
    def num_waiting(self) -> int:
        return len(self.queue)

    @property
    def num_live(self) -> int:
        return sum(batch.num_live for batch in self.batches)

    @property
    def num_busy(self) -> int:
        """Batches that have requests, or are about to."""
        return sum(1 for batch in self.batches if batch.num_live or batch in self.claimed)

    @property
    def takes_pictures(self) -> bool:
        return isinstance(self.runner.manifest.source, ImageSource)

    def unclaimed_live(self) -> RunningBatch | None:
        """The batch with requests that nobody runs, the longest untouched first."""
        return next((batch for batch in self.batches if batch.num_live and batch not in self.claimed), None)

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
    """A batch that one worker has to itself for one step, and the requests that join it first.

    Attributes:
        since: `time.monotonic()` when the worker took it.
    """

    lane: Lane
    batch: RunningBatch
    admitted: list[Ticket]
    since: float = field(default_factory=time.monotonic)
