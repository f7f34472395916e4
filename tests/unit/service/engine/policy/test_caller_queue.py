"""The queue's promises, for any order of pushes, pops and departures."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.engine.policy.caller_queue import BULK_INTERVAL, CallerQueue, RoundRobin

CALLERS = "abcd"

Pushed = tuple[str, bool, int]
"""Caller, whether it is bulk, number."""

# A push by a caller, a pop (None), or a departure (the index of the item that leaves, among the waiting items).
actions = st.lists(st.one_of(st.tuples(st.sampled_from(CALLERS), st.booleans()), st.none(), st.integers(0, 50)))


def push(queue: CallerQueue[Pushed], caller: str, bulk: bool, number: int = 0) -> Pushed:
    item = (caller, bulk, number)
    queue.push(item, caller, bulk=bulk)
    return item


def played(steps: list[object]) -> tuple[CallerQueue[Pushed], list[Pushed], list[Pushed]]:
    """The queue after some actions, what it holds in the order of arrival, and what was taken from it, in order."""
    queue: CallerQueue[Pushed] = CallerQueue()
    waiting: list[Pushed] = []
    taken: list[Pushed] = []
    for number, step in enumerate(steps):
        if isinstance(step, tuple):
            caller, bulk = step
            waiting.append(push(queue, caller, bulk, number))
        elif step is None and waiting:
            taken.append(queue.pop())
            waiting.remove(taken[-1])
        elif isinstance(step, int) and waiting:
            item = waiting.pop(step % len(waiting))
            assert queue.remove(item, item[0], bulk=item[1])
        assert len(queue) == len(waiting)
    return queue, waiting, taken


def drained(queue: CallerQueue[Pushed]) -> list[Pushed]:
    return [queue.pop() for _ in range(len(queue))]


@given(actions)
def test_what_waits_is_taken_once_and_nothing_else(steps: list[object]) -> None:
    queue, waiting, _ = played(steps)
    assert sorted(queue) == sorted(waiting)
    assert sorted(drained(queue)) == sorted(waiting)
    with pytest.raises(IndexError):
        queue.pop()


@given(actions)
def test_a_callers_requests_of_one_kind_keep_their_order(steps: list[object]) -> None:
    queue, _, taken = played(steps)
    order = taken + drained(queue)
    for caller in CALLERS:
        for bulk in (False, True):
            numbers = [item[2] for item in order if item[:2] == (caller, bulk)]
            assert numbers == sorted(numbers)


@given(actions, st.sampled_from(CALLERS))
def test_between_two_turns_of_a_caller_nobody_else_has_two(steps: list[object], caller: str) -> None:
    queue, _, _ = played(steps)
    since: Counter[str] = Counter()
    for taken_from, bulk, _ in drained(queue):
        if bulk:
            continue
        if taken_from == caller:
            since.clear()
        elif any(item[:2] == (caller, False) for item in queue):
            since[taken_from] += 1
            assert since[taken_from] <= 1


@given(actions)
def test_a_share_of_those_taken_is_bulk_where_bulk_waits(steps: list[object]) -> None:
    queue, _, _ = played(steps)
    num_passed = 0
    while len(queue):
        bulk_waits = any(item[1] for item in queue)
        is_bulk = queue.pop()[1]
        num_passed = 0 if is_bulk or not bulk_waits else num_passed + 1
        assert num_passed < BULK_INTERVAL


@given(actions)
def test_bulk_has_no_more_than_its_share_where_others_wait(steps: list[object]) -> None:
    queue, _, _ = played(steps)
    kinds = []
    while any(not item[1] for item in queue):
        kinds.append(queue.pop()[1])
    assert sum(kinds) <= -(-len(kinds) // BULK_INTERVAL)


@given(actions, st.sampled_from(CALLERS), st.booleans())
def test_how_many_are_ahead_is_told_exactly_where_one_kind_waits(steps: list[object], caller: str, bulk: bool) -> None:
    queue, _, _ = played([(step[0], bulk) if isinstance(step, tuple) else step for step in steps])
    told = queue.num_ahead(caller, bulk=bulk)
    item = push(queue, caller, bulk, -1)
    assert drained(queue).index(item) == told


@given(actions, st.sampled_from(CALLERS), st.booleans())
def test_how_many_are_ahead_is_told_within_the_share_of_bulk(steps: list[object], caller: str, bulk: bool) -> None:
    queue, _, _ = played(steps)
    told = queue.num_ahead(caller, bulk=bulk)
    item = push(queue, caller, bulk, -1)
    actual = drained(queue).index(item)
    if bulk:
        assert actual <= told
    else:
        assert told <= actual <= told + -(-(told + 1) // (BULK_INTERVAL - 1))


@pytest.mark.parametrize("bulk", [False, True])
def test_a_thousand_requests_of_one_caller_delay_anothers_only_one_by_one(bulk: bool) -> None:
    queue: CallerQueue[Pushed] = CallerQueue()
    for number in range(1000):
        push(queue, "busy", bulk, number)
    push(queue, "other", bulk)
    assert [queue.pop()[0] for _ in range(2)] == ["busy", "other"]


def test_who_is_not_there_cannot_be_removed() -> None:
    turns: RoundRobin[int] = RoundRobin()
    turns.push("a", 1)
    assert not turns.remove("b", 1)
    assert not turns.remove("a", 2)
    assert turns.remove("a", 1)
    assert not turns.remove("a", 1)
