"""What all batches are: rows that requests join and leave between steps."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from regard.arrays import Array
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.request import RequestState
from regard_service.engine.core.result import RequestUpdate
from regard_service.engine.runtime.runner import Runner
from regard_service.engine.runtime.slots import SlotsShape
from regard_service.errors import DeadlinePassed

ContinueStepping = Callable[[int], bool]
"""Decides after each position whether the same call of `step` runs another; its argument counts ended requests."""


def step_once(num_ended: int) -> bool:
    """Runs one position a call."""
    return False


@dataclass(frozen=True, eq=False)
class Encoded:
    """Requests that were encoded together.

    Attributes:
        memory: as `Runner.encode` returns it.
    """

    requests: list[RequestState]
    memory: Mapping[str, Array]


class Rows(ABC):
    """Requests join and leave between steps. A *row* is a request's place.

    One thread at a time may call `join` and `step`; `encode` may run beside them.

    Attributes:
        num_steps: steps that the batch has run.
    """

    def __init__(self, runner: Runner, shape: SlotsShape, observer: EngineObserver | None = None) -> None:
        self.runner = runner
        self.shape = shape
        self.observer = observer or EngineObserver()
        self._rows: list[RequestState | None] = []  # None only between steps: a row that is free
        self.num_steps = 0

    @property
    def requests(self) -> list[RequestState]:
        """The live requests, by row."""
        return [request for request in self._rows if request is not None]

    @property
    def num_live(self) -> int:
        """How many requests have a row."""
        return len(self._rows) - self._rows.count(None)

    @property
    @abstractmethod
    def encoded_bytes(self) -> int:
        """Size of the buffers for encoded sources."""

    @property
    @abstractmethod
    def state_bytes(self) -> int:
        """Size of the buffers that steps carry on."""

    @property
    @abstractmethod
    def map_bytes(self) -> int:
        """Size of the buffers for attention maps."""

    def encode(self, requests: list[RequestState], *, on_all_cores: bool = False) -> Encoded:
        """Encodes requests in one call.

        Args:
            on_all_cores: whether no other thread computes meanwhile.
        """
        started = time.monotonic()
        for request in requests:
            request.admitted = started
        encode = self.runner.encode_on_all_cores if on_all_cores else self.runner.encode
        memory = encode([request.request.source for request in requests])
        encode_s = time.monotonic() - started
        self.observer.encoded(self.runner.manifest.name, len(requests), encode_s)
        for request in requests:
            request.encode_s = encode_s
        return Encoded(requests, memory)

    @abstractmethod
    def join(self, encoded: Encoded) -> None:
        """Gives each of these requests a row."""

    @abstractmethod
    def step(self, continue_stepping: ContinueStepping = step_once) -> list[RequestUpdate]:
        """Runs a step for every live request, or several; returns tokens for streams, and results."""

    def clear(self) -> None:
        """Evicts all requests without an update."""
        self._rows.clear()

    def evict(self) -> list[RequestUpdate]:
        """Frees the rows of requests whose caller has left or whose deadline has passed; returns their errors."""
        updates, now = [], time.monotonic()
        for row, request in enumerate(self._rows):
            if request is not None and (request.has_left or request.is_overdue(now)):
                self._rows[row] = None
                name = self.runner.manifest.name
                self.observer.finished(name, request.interruption(now), request.num_steps, request.phase)
                updates.append(RequestUpdate(request, DeadlinePassed("the deadline passed while decoding")))
        return updates
