"""A lane: requests that may share a batch, and what the policy knows of the batches that they share."""

from collections import Counter
from dataclasses import dataclass, field

from regard_service.bundle import TextSource
from regard_service.engine.core.request import EngineRequest, RequestState
from regard_service.engine.policy.caller_queue import CallerQueue
from regard_service.engine.policy.pace import Pace
from regard_service.engine.runtime.runner import Runner
from regard_service.engine.runtime.slots import SlotsShape


@dataclass(eq=False)
class BatchState:
    """The books of one running batch; its buffers are the driver's.

    Attributes:
        max_requests: rows.
        num_requests: requests that have a row, or that a decision gave one.
        num_live: requests in rows, as of the last step.
        num_arrived: requests that are encoded, and join before the next step.
        is_stepped: whether a worker steps it.
        has_postponed: whether requests that could have joined wait for the next step.
        callers: how many of the requests each caller has.
    """

    max_requests: int
    num_requests: int = 0
    num_live: int = 0
    num_arrived: int = 0
    is_stepped: bool = False
    has_postponed: bool = False
    callers: Counter[str] = field(default_factory=Counter)

    @property
    def num_free(self) -> int:
        """Rows that no request has."""
        return self.max_requests - self.num_requests


@dataclass(eq=False)
class Lane:
    """One model, one source-length bucket, one beam width, with a shortlist or without: its queue and its batches.

    Batches are in the order in which they were touched, the longest untouched first.

    Attributes:
        num_encoding: workers that encode for a batch that another one steps.
        callers: how many requests each caller has, waiting ones included.
        is_for_many: whether it is for callers of many requests.
    """

    runner: Runner
    shape: SlotsShape
    pace: Pace
    queue: CallerQueue[RequestState] = field(default_factory=CallerQueue)
    batches: list[BatchState] = field(default_factory=list)
    num_encoding: int = 0
    callers: Counter[str] = field(default_factory=Counter)
    is_for_many: bool = False

    @property
    def num_waiting(self) -> int:
        """Requests in the queue."""
        return len(self.queue)

    @property
    def num_admitted(self) -> int:
        """Requests that have left the queue."""
        return sum(batch.num_requests for batch in self.batches)

    @property
    def num_slots(self) -> int:
        """Slots that its requests have or wait for."""
        return (self.num_admitted + self.num_waiting) * self.shape.num_beams

    @property
    def num_busy(self) -> int:
        """Batches that have requests, or that a worker steps."""
        return sum(1 for batch in self.batches if batch.num_requests or batch.is_stepped)

    @property
    def is_in_use(self) -> bool:
        """Whether it has requests, or a worker."""
        return bool(self.callers or self.num_busy or self.num_encoding)

    @property
    def takes_pictures(self) -> bool:
        """Whether sources are pictures, with or without a question, which are encoded one at a time."""
        return not isinstance(self.runner.manifest.source, TextSource)

    @property
    def takes_one_step(self) -> bool:
        """Whether its requests end at their first step: the model has no decoder."""
        return not self.runner.manifest.has_decoder

    def steppable(self) -> BatchState | None:
        """The longest untouched batch that has requests and that no worker steps."""
        ready = (batch for batch in self.batches if (batch.num_live or batch.num_arrived) and not batch.is_stepped)
        return next(ready, None)

    def empty(self) -> BatchState | None:
        """A batch without requests that no worker steps."""
        return next((batch for batch in self.batches if not batch.num_requests and not batch.is_stepped), None)

    def fullest_stepped(self) -> BatchState | None:
        """Of the batches that workers step and that have free rows, that with fewest; None if none has any."""
        with_room = (batch for batch in self.batches if batch.is_stepped and batch.num_free > 0)
        return min(with_room, key=lambda each: each.num_free, default=None)

    def is_fullest(self, batch: BatchState) -> bool:
        """Whether no other batch that has free rows has fewer of them."""
        others = (each for each in self.batches if each is not batch and each.num_free > 0)
        return all(batch.num_free <= other.num_free for other in others)

    def visit_s(self, num_more: int) -> float:
        """Seconds of a worker for one visit to a batch, if the lane had `num_more` requests more: encoding, a step."""
        num_requests = (self.num_admitted + self.num_waiting + num_more) / max(1, self.num_busy)
        num_slots = min(self.shape.max_slots, num_requests * self.shape.num_beams)
        return max(self.pace.step_s(num_slots), self.pace.visit_s if self.num_busy else 0.0)

    def expected_tokens(self, request: EngineRequest) -> int:
        """A request's estimated cost in tokens: its source positions, and its target positions for every beam."""
        num_source = self.runner.source_length(request.source)
        return num_source + round(self.shape.num_beams * self.pace.num_steps(request.generation, num_source))
