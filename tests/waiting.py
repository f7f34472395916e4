"""Waiting in tests: for a condition or an event, with a limit that only a hang reaches.

A busy machine can be ten times slower than an idle one. So a test waits for what must happen, not for time to pass:
`wait_until` and `until` poll a condition, `PATIENCE_S` limits everything else that takes a timeout. A sleep is right
only before checking that something did *not* happen: a slow machine then misses a fault, but reports none.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

PATIENCE_S = 240.0  # far more than anything here takes, and less than pytest's own timeout (pyproject.toml)

Value = TypeVar("Value")


def wait_until(condition: Callable[[], Value], every_s: float = 0.02) -> Value:
    """Calls the condition until its result is true in Python's sense, and returns the result."""
    end = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {PATIENCE_S} s; the last result is {value!r}"
        time.sleep(every_s)
    return value


async def until(condition: Callable[[], Value], every_s: float = 0.01) -> Value:
    """The same in an event loop, which goes on meanwhile; the condition must not block."""
    end = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {PATIENCE_S} s; the last result is {value!r}"
        await asyncio.sleep(every_s)
    return value


def ever_longer(first_s: float) -> Iterator[float]:
    """Times for what must not end too early on a busy machine, such as a deadline that is to pass in mid-work.

    A test tries with one after the other until the work had begun.
    """
    time_s = first_s
    while time_s < PATIENCE_S:
        yield time_s
        time_s *= 4
