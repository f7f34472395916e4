"""One request on its way through the engine, from `submit` to its result."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from regard_service.engine.core.request import CommittedToken, EngineRequest, EngineResult
from regard_service.errors import ServiceError

OnTokens = Callable[[list[CommittedToken]], None]

STEPS_BETWEEN_TIMES = 16

Phase = Literal["queue", "encode", "decode"]


@dataclass(eq=False)
class Ticket:
    """What the engine knows of a request. The workers own it, save `departed`, which anybody may set.

    Attributes:
        done: resolved on the caller's event loop.
        on_tokens: called on the caller's event loop, as tokens become certain; None for unary calls.
        submitted: `time.monotonic()` of arrival.
        admitted: `time.monotonic()` when it left the queue; 0 as long as it waits.
        departed: the caller has left; the request ends before the next step.
        encode_s: how long it was encoded, with others; 0 until then.
        work_before_s: what the engine had to do before it, with itself, when it came; 0 if hardly anything.
        num_steps: steps it has had.
        step_times: number and end of the first step and of every STEPS_BETWEEN_TIMES-th, if somebody asked for them.
        num_committed: tokens that `on_tokens` has had.
    """

    request: EngineRequest
    done: asyncio.Future[EngineResult]
    on_tokens: OnTokens | None = None
    submitted: float = field(default_factory=time.monotonic)
    departed: bool = False
    admitted: float = 0.0
    encode_s: float = 0.0
    work_before_s: float = 0.0
    num_steps: int = 0
    num_committed: int = 0
    step_times: list[tuple[int, float]] | None = None

    def __post_init__(self) -> None:
        if self.request.watch is not None:
            self.request.watch(self)

    @property
    def phase(self) -> Phase:
        """How far it has come."""
        if not self.admitted:
            return "queue"
        return "decode" if self.num_steps else "encode"

    @property
    def interruption(self) -> Literal["cancelled", "deadline"]:
        """Why it ends early. When a call's time is up gRPC cancels it, so that both may hold: then it is the time."""
        return "deadline" if self.overdue else "cancelled"

    @property
    def overdue(self) -> bool:
        return self.request.deadline is not None and time.monotonic() > self.request.deadline


@dataclass(frozen=True)
class Delivery:
    """Something to tell a caller: tokens that are certain, or the end of it."""

    ticket: Ticket
    outcome: list[CommittedToken] | EngineResult | ServiceError

    @property
    def is_last(self) -> bool:
        return not isinstance(self.outcome, list)

    def arrive(self) -> None:
        """Runs on the caller's event loop."""
        if self.ticket.done.done():
            return
        if isinstance(self.outcome, EngineResult):
            self.ticket.done.set_result(self.outcome)
        elif isinstance(self.outcome, ServiceError):
            self.ticket.done.set_exception(self.outcome)
        elif self.ticket.on_tokens is not None:
            self.ticket.on_tokens(self.outcome)


class Outbox:
    """What a worker has to tell callers, held back until it computes and lets go of the interpreter.

    An event loop that was woken at once would take the interpreter from the worker before its next step has begun.
    """

    def __init__(self) -> None:
        self._held: list[Delivery] = []

    def hold(self, deliveries: list[Delivery]) -> None:
        """Takes them, to be sent with the next `send`."""
        self._held += deliveries

    def send(self) -> None:
        """Hands over what is held, if anything is."""
        held, self._held = self._held, []
        deliver(held)


def deliver(deliveries: list[Delivery]) -> None:
    """Hands a step's deliveries to their callers, with one wake-up of each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Delivery]] = {}
    for delivery in deliveries:
        by_loop.setdefault(delivery.ticket.done.get_loop(), []).append(delivery)
    for loop, group in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_arrive, group)


def _arrive(deliveries: list[Delivery]) -> None:
    for delivery in deliveries:
        delivery.arrive()
