"""Records the parts of a traced call. Independent of OpenTelemetry; records nothing for other calls."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from regard_service.engine.core.request import RequestState

_NOTHING = nullcontext()


@dataclass
class Stage:
    """A part of a call outside of the engine. Times are on the clock of `time.monotonic()`."""

    name: str
    began: float
    ended: float = 0.0


@dataclass
class CallRecord:
    """The record of a traced call.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span: the tracer's own.
        epoch_ns: nanoseconds since 1970 at 0 of `time.monotonic()`.
        requests: the call's requests in the engine, which hold their own times.
        stages: in the order in which they began.
    """

    trace_id: str
    span: Any
    epoch_ns: int
    requests: list[RequestState] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)

    def since_epoch_ns(self, monotonic: float) -> int:
        """Converts a time of `time.monotonic()` to nanoseconds since 1970."""
        return self.epoch_ns + round(monotonic * 1e9)

    def watch(self, request: RequestState) -> None:
        """Adds a request of the engine, and makes it record the times of its steps."""
        request.step_times = []
        self.requests.append(request)


class _StageContext:
    """Records a stage. Consecutive stages of one name, as for the inputs of a call, are one stage."""

    def __init__(self, record: CallRecord, name: str) -> None:
        self._record = record
        self._name = name

    def __enter__(self) -> None:
        stages = self._record.stages
        if not stages or stages[-1].name != self._name:
            stages.append(Stage(self._name, time.monotonic()))
        self._stage = stages[-1]

    def __exit__(self, *_: object) -> None:
        self._stage.ended = time.monotonic()


_current: ContextVar[CallRecord | None] = ContextVar("call_record", default=None)


def begin_record(record: CallRecord) -> None:
    """Sets the record of the current task's call."""
    _current.set(record)


def stage(name: str) -> AbstractContextManager[None]:
    """Returns a context that records a stage of the current call."""
    record = _current.get()
    return _NOTHING if record is None else _StageContext(record, name)


def watcher() -> Callable[[RequestState], None] | None:
    """Returns the function that records the current call's requests in the engine; None without a trace."""
    record = _current.get()
    return None if record is None else record.watch


def exemplar() -> dict[str, str] | None:
    """Returns the exemplar for histograms that names the current call's trace; None without a trace."""
    record = _current.get()
    return None if record is None else {"trace_id": record.trace_id}
