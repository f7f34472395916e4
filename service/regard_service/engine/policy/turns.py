"""Turns of callers over all lanes: who has used least of the workers is next.

Start-time fair queueing (Goyal, Vin and Cheng 1996): a caller who comes, or comes back, starts close to the least use
of those who are there, so that nobody saves turns while he is away, and nobody is rid of his use by leaving. Where
nobody is there, a caller starts at the most use of those who were: whoever had the workers for himself owes nothing.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

# Among callers whose use differs by less, those of fewer requests are next, and where these are as many, the lane that
# was visited longest ago: who has just come does not always go before those who are nearly done.
QUANTUM_S = 0.01

# Who comes starts ahead of the others by this much use at most, if he has used less. Otherwise a caller with a call now
# and then, who starts as far as one who keeps all workers busy, would wait for him in the midst of the call.
HEAD_START_S = 0.02

# Beside more callers a visit has one step: comparing all of them takes longer than another visit.
MAX_COMPARED = 16

# Of such callers, those of fewer requests than this are alike; with more, batches of theirs are full.
MANY_REQUESTS = 32

# Callers that are gone are forgotten beyond this many, unless they would profit by it.
MAX_REMEMBERED = 4096


class Turns:
    """Seconds of workers that each caller has used, divided by the caller's weight.

    Attributes:
        many: callers who have many requests, for their weight.
    """

    def __init__(self) -> None:
        self.many: set[str] = set()
        self._num_requests: Counter[str] = Counter()  # of callers who are there
        self._used_s: dict[str, float] = {}
        self._weights: dict[str, float] = {}
        self._most_s = 0.0  # use of a caller when nobody else was there

    @property
    def has_others(self) -> bool:
        """Whether several callers have requests."""
        return len(self._num_requests) > 1

    def enter(self, caller: str, weight: float = 1.0) -> None:
        """A request of a caller comes."""
        if caller not in self._num_requests:
            self._weights[caller] = weight
            self._used_s[caller] = max(self._used_s.get(caller, 0.0), self._least() - HEAD_START_S)
        self._num_requests[caller] += 1
        if self._num_requests[caller] >= self._weights[caller] * MANY_REQUESTS:
            self.many.add(caller)

    def leave(self, caller: str) -> bool:
        """A request of a caller is over. Returns whether others have requests, and the caller has none left."""
        self._num_requests[caller] -= 1
        if caller in self.many and self._num_requests[caller] < self._weights[caller] * MANY_REQUESTS:
            self.many.remove(caller)
        if not self._num_requests[caller]:
            del self._num_requests[caller], self._weights[caller]
            self._most_s = max(self._most_s, self._used_s[caller])
            self._forget()
            return bool(self._num_requests)
        return False

    def charge(self, callers: Mapping[str, int], seconds: float) -> None:
        """A worker was at work for callers, in proportion to their requests."""
        num_requests = sum(callers.values())
        for caller, number in callers.items():
            if caller in self._num_requests:
                self._used_s[caller] += seconds * number / num_requests / self._weights[caller]

    def next_of(self, callers: Iterable[str]) -> tuple[float, float]:
        """Returns how soon some callers have a turn, less is sooner: their least use in whole quanta, and of those who
        have used as little, the fewest requests for their weight. Infinite if there are none.
        """
        return min(map(self._turn, callers), default=(math.inf, math.inf))

    def is_ahead(self, callers: Collection[str], more_s: float) -> bool:
        """Whether there are others, and all of them have later turns, after `more_s` that are not charged yet."""
        others = [] if len(self._num_requests) > MAX_COMPARED else [c for c in self._num_requests if c not in callers]
        if not others:
            return False
        here = [caller for caller in callers if caller in self._num_requests]
        own = min((self._turn(caller, more_s) for caller in here), default=(math.inf, math.inf))
        return all(own < self._turn(other) for other in others)

    def _turn(self, caller: str, more_s: float = 0.0) -> tuple[float, float]:
        used_s, weight = self._used_s[caller] + more_s / self._weights[caller], self._weights[caller]
        return used_s // QUANTUM_S, self._num_requests[caller] // (weight * MANY_REQUESTS)

    def _least(self) -> float:
        """The use at which a caller starts who has used less, but for his head start."""
        return min((self._used_s[caller] for caller in self._num_requests), default=self._most_s)

    def _forget(self) -> None:
        if len(self._used_s) <= MAX_REMEMBERED:
            return
        least = self._least()
        gone = [each for each, used in self._used_s.items() if each not in self._num_requests]
        gone.sort(key=lambda each: self._used_s[each] > least)
        for caller in gone[: MAX_REMEMBERED // 2]:
            del self._used_s[caller]
