"""The queue of a lane: callers take turns, interactive requests go before bulk ones, and bulk ones get a share.

Knows neither tensors nor time.
"""

from collections import deque
from collections.abc import Container, Hashable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
Caller = Hashable

_NOBODY: Caller = object()

# Where both kinds wait, one of this many requests taken is a bulk one: it waits long, but not for ever.
BULK_INTERVAL = 8


class RoundRobin(Generic[Item]):
    """Items by caller, one of each caller in turn, so that the many items of one caller do not delay another's few.

    The items of one caller keep their order.
    """

    def __init__(self) -> None:
        self._items: dict[Caller, deque[Item]] = {}  # no queue is empty; in the order of the callers' turns
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Item]:
        """Yields every item, caller by caller."""
        for items in self._items.values():
            yield from items

    def __contains__(self, caller: Caller) -> bool:
        """Whether a caller has an item."""
        return caller in self._items

    def push(self, caller: Caller, item: Item) -> None:
        """Adds an item behind the caller's others."""
        self._items.setdefault(caller, deque()).append(item)
        self._size += 1

    def pop(self) -> Item:
        """Takes the next item; raises IndexError if there is none."""
        item = self.pop_of_others(())
        if item is None:
            raise IndexError("pop from an empty queue")
        return item

    def pop_of_others(self, passed: Container[Caller]) -> Item | None:
        """Takes the next item of a caller who is not among the passed ones; None if there is none."""
        caller = next((each for each in self._items if each not in passed), _NOBODY)
        if caller is _NOBODY:
            return None
        items = self._items.pop(caller)
        item = items.popleft()
        if items:
            self._items[caller] = items  # behind the other callers
        self._size -= 1
        return item

    def remove(self, caller: Caller, item: Item) -> bool:
        """Takes an item out, wherever it stands; False if it is not there."""
        items = self._items.get(caller)
        if items is None or item not in items:
            return False
        items.remove(item)
        if not items:
            del self._items[caller]
        self._size -= 1
        return True

    def num_ahead(self, caller: Caller) -> int:
        """How many items would be taken before one that this caller pushed now, if no more were pushed."""
        num_own = len(self._items.get(caller, ()))
        num_before, num_turns = num_own, num_own + 1
        for other, items in self._items.items():
            if other == caller:
                num_turns = num_own  # those behind it have one turn less by then
            else:
                num_before += min(len(items), num_turns)
        return num_before


class CallerQueue(Generic[Item]):
    """Interactive items before bulk ones; callers take turns among each."""

    def __init__(self) -> None:
        self._interactive: RoundRobin[Item] = RoundRobin()
        self._bulk: RoundRobin[Item] = RoundRobin()
        self._num_passed = 0  # interactive items taken while a bulk one waited

    def __len__(self) -> int:
        return len(self._interactive) + len(self._bulk)

    def __iter__(self) -> Iterator[Item]:
        yield from self._interactive
        yield from self._bulk

    def push(self, item: Item, caller: Caller, *, bulk: bool) -> None:
        """Adds an item behind the caller's others of its kind."""
        (self._bulk if bulk else self._interactive).push(caller, item)

    def pop(self) -> Item:
        """Takes the next item; raises IndexError if there is none."""
        if not self._bulk:
            self._num_passed = 0
            return self._interactive.pop()
        if not self._interactive or self._num_passed + 1 >= BULK_INTERVAL:
            self._num_passed = 0
            return self._bulk.pop()
        self._num_passed += 1
        return self._interactive.pop()

    def remove(self, item: Item, caller: Caller, *, bulk: bool) -> bool:
        """Takes an item out, wherever it stands; False if it is not there."""
        return (self._bulk if bulk else self._interactive).remove(caller, item)

    def num_ahead(self, caller: Caller, *, bulk: bool) -> int:
        """About how many items would be taken before one that this caller pushed now, if no more were pushed.

        Exact where only one of the two kinds waits. Otherwise a bulk item counts every interactive one that could pass
        it, and an interactive one leaves out the share of bulk.
        """
        if not bulk:
            return self._interactive.num_ahead(caller)
        num_bulk = self._bulk.num_ahead(caller)
        return num_bulk + min(len(self._interactive), (num_bulk + 1) * (BULK_INTERVAL - 1))
