"""Tells code in a thread that nobody waits for its result any more.

A thread cannot be ended from outside. So what runs in one asks, between two blocks of its work.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

_current = threading.local()


class Abandoned(Exception):
    """Nobody waits for the result."""


@contextmanager
def abandoned_when(is_abandoned: Callable[[], bool]) -> Iterator[None]:
    """Within the block, the thread's `check` asks this function."""
    before = getattr(_current, "is_abandoned", None)
    _current.is_abandoned = is_abandoned
    try:
        yield
    finally:
        _current.is_abandoned = before


def check() -> None:
    """Raises Abandoned if nobody waits for what this thread does."""
    is_abandoned: Callable[[], bool] | None = getattr(_current, "is_abandoned", None)
    if is_abandoned is not None and is_abandoned():
        raise Abandoned


class AbandonableFile(BytesIO):
    """A file whose reader stops once it is abandoned. Decoders read block by block."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Reads; raises Abandoned."""
        check()
        return super().read(size)
