"""The work that the engine has been given and has not finished."""

from collections import defaultdict

from regard_service.engine.core.request import EngineRequest
from regard_service.engine.core.ticket import Ticket

# Work that is over leaves a rounding error behind; less than this is none.
NOTHING_S = 1e-9


class Backlog:
    """Seconds of a worker, by whose they are. Used under the scheduler's lock.

    A request counts whole until it is over: by Little's law, all that is there over the rate at which it is done is how
    long a request takes from its arrival to its end.
    """

    def __init__(self) -> None:
        self._work_s: dict[Ticket, float] = {}
        self._sums_s: defaultdict[tuple[str, bool], float] = defaultdict(float)  # by caller and whether it is bulk

    def add(self, ticket: Ticket, work_s: float) -> None:
        self._work_s[ticket] = work_s
        self._sums_s[_owner(ticket.request)] += work_s

    def remove(self, ticket: Ticket) -> None:
        owner = _owner(ticket.request)
        self._sums_s[owner] -= self._work_s.pop(ticket)
        if self._sums_s[owner] < NOTHING_S:
            del self._sums_s[owner]

    def through(self, request: EngineRequest, work_s: float) -> float:
        """What will have been done once so much more is that comes with this request: with callers taking turns, all of
        its caller's, and as much of every other's; where it is bulk, all that is not.
        """
        owner = _owner(request)
        mine_s = self._sums_s.get(owner, 0.0) + work_s
        total_s = mine_s
        for other, theirs_s in self._sums_s.items():
            if other != owner:
                is_before = request.bulk and not other[1]
                total_s += theirs_s if is_before else min(theirs_s, mine_s)
        return total_s


def _owner(request: EngineRequest) -> tuple[str, bool]:
    return request.caller, request.bulk
