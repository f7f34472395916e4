"""A server that is away for a while: calls are repeated until it is back."""

import threading
from collections.abc import Iterator
from typing import Any

from regard.calls.mapping import Call
from regard.calls.results import Result
from regard.errors import Unavailable

FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 30.0
MAX_AWAY_S = 600.0


def patient(call: Call, stopping: threading.Event, max_away_s: float = MAX_AWAY_S) -> Call:
    """The same call, repeated while there is no server, for that many seconds in sum of the pauses.

    Args:
        stopping: ends the pauses, and with them the repetitions.
    """

    def repeated(inputs: list[Any]) -> list[Result]:
        for pause in _pauses(max_away_s):
            try:
                return call(inputs)
            except Unavailable:
                if stopping.wait(pause):
                    raise
        return call(inputs)

    return repeated


def _pauses(max_away_s: float) -> Iterator[float]:
    pause, waited = FIRST_PAUSE_S, 0.0
    while waited < max_away_s:
        yield pause
        waited += pause
        pause = min(2 * pause, MAX_PAUSE_S)
