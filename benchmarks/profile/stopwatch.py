"""Sums CPU time by stage by timing functions."""

import threading
import time
from collections.abc import Callable
from typing import Any


class Stopwatch:
    """Times functions. The time of a watched function excludes watched functions that it calls."""

    def __init__(self) -> None:
        self._spent: list[tuple[str, float]] = []  # append is atomic, += is not
        self._open = threading.local()

    def watch(self, owner: Any, name: str, stage: str) -> None:
        """Times a method of a class or a function of a module on the calling thread; coroutines are not supported."""
        call: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            within = self._within()
            within.append(0.0)
            started = time.thread_time()
            try:
                return call(*arguments, **options)
            finally:
                spent = time.thread_time() - started
                self._spent.append((stage, spent - within.pop()))
                if within:
                    within[-1] += spent

        setattr(owner, name, timed)

    def take(self) -> dict[str, float]:
        """CPU seconds of each stage since the last call."""
        spent, self._spent = self._spent, []
        found: dict[str, float] = {}
        for stage, seconds in spent:
            found[stage] = found.get(stage, 0.0) + seconds
        return found

    def _within(self) -> list[float]:
        """For each running watched call of this thread, the time of the watched calls within it."""
        if not hasattr(self._open, "calls"):
            self._open.calls = []
        calls: list[float] = self._open.calls
        return calls
