"""What is noted of a call whose trace is kept. Knows nothing of OpenTelemetry; notes nothing if there is no trace."""

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
    """Something that a call did outside of the engine. Times are `time.monotonic()`."""

    name: str
    began: float
    ended: float = 0.0


@dataclass
class CallRecord:
    """A call's trace in the making.

    Attributes:
        trace_id: 32 hexadecimal digits.
        requests: the call's requests to the engine, which hold their own times.
        stages: in the order in which they began.
        span: what the tracer keeps there.
        epoch_ns: since 1970, when `time.monotonic()` was 0.
    """

    trace_id: str
    span: Any
    epoch_ns: int
    requests: list[RequestState] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)

    def since_epoch_ns(self, monotonic: float) -> int:
        return self.epoch_ns + round(monotonic * 1e9)

    def watch(self, request: RequestState) -> None:
        """Follows a request to the engine; its steps will be noted."""
        request.step_times = []
        self.requests.append(request)


class _Staging:
    """Notes a stage; one that follows another of the same name goes on with it, as with the inputs of a call."""

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
    """Makes `record` that of the current task's call."""
    _current.set(record)


def stage(name: str) -> AbstractContextManager[None]:
    """Surrounds a part of the current call's work."""
    record = _current.get()
    return _NOTHING if record is None else _Staging(record, name)


def watcher() -> Callable[[RequestState], None] | None:
    """What is to be told of the current call's requests to the engine."""
    record = _current.get()
    return None if record is None else record.watch


def exemplar() -> dict[str, str] | None:
    """The current call's trace, as a histogram's exemplar names it."""
    record = _current.get()
    return None if record is None else {"trace_id": record.trace_id}
