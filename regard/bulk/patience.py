"""Rows that a server runs, which may be away for a while."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from regard.calls.mapping import Batch, Call, Outcome, outcomes_of
from regard.calls.results import Result
from regard.errors import Unavailable

FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 30.0
MAX_AWAY_S = 600.0


class ServerRunner:
    """Runs rows by calls, which are repeated while there is no server: `MAX_AWAY_S` in sum of the pauses."""

    def __init__(self, call: Call, precision_of: Callable[[str, str], str], max_away_s: float = MAX_AWAY_S) -> None:
        """Takes the client's methods.

        Args:
            call: runs several inputs, and returns their results in order.
            precision_of: takes a model's name and version.
        """
        self._call = call
        self.precision_of = precision_of
        self._max_away_s = max_away_s
        self._stopping = threading.Event()

    def outcomes(self, batch: Batch) -> list[Outcome]:
        """The results of rows, or their errors, in order."""
        return outcomes_of(batch, self._patient)

    def stop(self) -> None:
        """Ends the pauses, and with them the repetitions."""
        self._stopping.set()

    def _patient(self, inputs: list[Any]) -> list[Result]:
        for pause in _pauses(self._max_away_s):
            try:
                return self._call(inputs)
            except Unavailable:
                if self._stopping.wait(pause):
                    raise
        return self._call(inputs)


def _pauses(max_away_s: float) -> Iterator[float]:
    pause, waited = FIRST_PAUSE_S, 0.0
    while waited < max_away_s:
        yield pause
        waited += pause
        pause = min(2 * pause, MAX_PAUSE_S)
