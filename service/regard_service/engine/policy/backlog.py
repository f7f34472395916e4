"""The work that the engine has accepted and not finished."""

from collections import defaultdict

from regard_service.engine.core.request import EngineRequest, RequestState

# Sums of finished work leave rounding errors; less than this is none.
ROUNDING_ERROR_S = 1e-9


class Backlog:
    """Seconds of a worker, by caller.

    A request counts whole until it ends: by Little's law, the work in the engine over the rate at which it is done is
    the time from a request's arrival to its end.
    """

    def __init__(self) -> None:
        self._work_s: dict[RequestState, float] = {}
        self._sums_s: defaultdict[tuple[str, bool], float] = defaultdict(float)  # by caller and whether it is bulk

    def add(self, request: RequestState, work_s: float) -> None:
        """Adds a request's work."""
        self._work_s[request] = work_s
        self._sums_s[_owner(request.request)] += work_s

    def remove(self, request: RequestState) -> None:
        """Removes the work of a request that has ended."""
        owner = _owner(request.request)
        self._sums_s[owner] -= self._work_s.pop(request)
        if self._sums_s[owner] < ROUNDING_ERROR_S:
            del self._sums_s[owner]

    def through(self, request: EngineRequest, work_s: float) -> float:
        """The work that ends before or with `work_s` more seconds of this request's caller.

        Callers take turns: all of this caller's work, and as much of every other caller's; before bulk work also all
        interactive work.
        """
        owner = _owner(request)
        own_s = self._sums_s.get(owner, 0.0) + work_s
        total_s = own_s
        for other, other_s in self._sums_s.items():
            if other != owner:
                is_before = request.bulk and not other[1]
                total_s += other_s if is_before else min(other_s, own_s)
        return total_s


def _owner(request: EngineRequest) -> tuple[str, bool]:
    return request.caller, request.bulk
