"""A request: what a caller hands to the engine, and the one object that holds its state until its result exists."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from regard.arrays import Array, Float32Array, Int64Array
from regard_service.generation import Generation

# A traced request notes the end of its first step and of every 16th after it: a span of 500 events says no more.
STEPS_BETWEEN_TIMES = 16

Phase = Literal["queue", "encode", "decode"]
Interruption = Literal["cancelled", "deadline"]


@dataclass(frozen=True)
class EngineRequest:
    """One input for one model.

    Attributes:
        source: int64 [source] token ids; for models that copy, int64 [2, source], the ids and below them the
            words (`source_words` of docs/bundle.md); or float32 [3, height, width] pixels; or a record of both
            (`question_record`).
        attention: whether the batch keeps the cross-attention of every step; False costs nothing.
        deadline: `time.monotonic()` after which nobody reads the result; None means never.
        bulk: interactive requests go before it.
        watch: receives the request's state when it enters the engine; traces read their times from it.
        caller: who sent it; callers take turns, in the queue and at the workers.
        weight: of the caller's turns.
        is_listed: whether it chooses among the words that the model's shortlist allows; requests of a batch agree.
    """

    source: Int64Array | Float32Array | Array
    generation: Generation
    attention: bool = False
    deadline: float | None = None
    bulk: bool = False
    watch: "Callable[[RequestState], None] | None" = None
    caller: str = ""
    is_listed: bool = False
    weight: float = 1.0


@dataclass(eq=False)
class RequestState:
    """A request in the engine. The worker that holds its batch writes it; anybody may set `has_left`.

    Times are `time.monotonic()`.

    Attributes:
        is_streamed: whether its caller reads tokens as they become certain.
        has_left: its caller is gone; the batch evicts it before the next step.
        admitted: when it left the queue; 0 while it waits.
        encode_s: how long its encoding took, others' included; 0 until then.
        ended: when its result existed; 0 until then, and for a request that ends without one.
        work_before_s: the engine's work before and including it when it came; 0 if that was hardly more than its own.
        num_steps: steps that it has had.
        num_tokens: tokens of its output so far; fewer than steps where terms took some back.
        num_committed: tokens that its stream has had.
        is_alone: it shares its batch with nobody, because a batch that it was in has failed.
        step_times: number and end of the first step and of every `STEPS_BETWEEN_TIMES`-th, if a trace asks for them.
    """

    request: EngineRequest
    submitted: float
    is_streamed: bool = False
    has_left: bool = False
    admitted: float = 0.0
    encode_s: float = 0.0
    ended: float = 0.0
    work_before_s: float = 0.0
    num_steps: int = 0
    num_tokens: int = 0
    num_committed: int = 0
    step_times: list[tuple[int, float]] | None = None
    is_alone: bool = False

    def run_again_alone(self) -> None:
        """Goes back to the queue, for a batch of its own. Its stream goes on behind the tokens that it has had."""
        self.is_alone = True
        self.admitted = self.encode_s = 0.0
        self.num_steps = self.num_tokens = 0

    def __post_init__(self) -> None:
        if self.request.watch is not None:
            self.request.watch(self)

    @property
    def phase(self) -> Phase:
        """How far the request has come."""
        if not self.admitted:
            return "queue"
        return "decode" if self.num_steps else "encode"

    def is_overdue(self, now: float) -> bool:
        """Whether its deadline has passed."""
        return self.request.deadline is not None and now > self.request.deadline

    def interruption(self, now: float) -> Interruption:
        """Why it ends early. gRPC cancels a call whose time is up, so both may hold: the deadline is the cause then."""
        return "deadline" if self.is_overdue(now) else "cancelled"
