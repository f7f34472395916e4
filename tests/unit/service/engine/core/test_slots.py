"""The buffers of a running batch against a plain model: a list of requests, each a list of what its slots hold."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regard_service.bundle import Manifest
from regard_service.engine.runtime.slots import Slots, SlotsShape, lazy_zeros, max_taken_back
from tests.unit.service.engine.fake_runner import fake_manifest

SHAPE = SlotsShape(max_requests=4, num_beams=2, source=6, capacity=5)


def manifest() -> Manifest:
    """A memory with the source axis in the middle, a cache written in place, and a state that is replaced."""
    description = fake_manifest().model_dump()
    description["memory"] = [{"name": "keys", "dtype": "float32", "shape": ["requests", 2, "source", 3]}]
    description["state"] = [
        {
            "input": {"name": "cache", "dtype": "float32", "shape": ["slots", 2, "capacity", 1]},
            "output": "next_cache",
            "in_place": True,
        },
        {
            "input": {"name": "hidden", "dtype": "float32", "shape": ["slots", 2]},
            "output": "next_hidden",
            "in_place": False,
        },
    ]
    return Manifest.model_validate(description)


class PlainRequest:
    """One request: its memory, and per beam its cache and hidden state."""

    def __init__(self, memory: np.ndarray) -> None:
        self.memory = memory
        self.beams: list[tuple[list[float], float]] = [([], 0.0), ([], 0.0)]


class Pair:
    """The buffers and the plain model, moved alike."""

    def __init__(self) -> None:
        self.slots = Slots(manifest(), SHAPE)
        self.plain: list[PlainRequest] = []
        self.counter = 0.0

    def next(self) -> float:
        self.counter += 1.0
        return self.counter

    def admit(self, length: int) -> None:
        if len(self.plain) == SHAPE.max_requests:
            return
        memory = np.full((1, 2, length + 1, 3), self.next(), np.float32)  # one position more than is used
        self.slots.write([len(self.plain)], {"keys": memory}, [length], start_id=7)
        self.plain.append(PlainRequest(memory[0, :, :length]))

    def step(self, orders: list[int]) -> None:
        """Every beam writes to its state, then beams continue their parents."""
        n = 2 * len(self.plain)
        if not n or max(len(cache) for r in self.plain for cache, _ in r.beams) == SHAPE.capacity:
            return
        parents = []
        for row, request in enumerate(self.plain):
            for beam in range(2):
                slot, value = 2 * row + beam, self.next()
                cache, _ = request.beams[beam]
                self.slots.state["cache"][slot, :, self.slots.lengths[slot]] = value
                self.slots.next_state["hidden"][slot] = value
                request.beams[beam] = ([*cache, value], value)
            pattern = [(0, 1), (0, 0), (1, 1), (1, 0)][orders[row % len(orders)]]
            request.beams = [(list(request.beams[p][0]), request.beams[p][1]) for p in pattern]
            parents += [2 * row + p for p in pattern]
        moved = parents != list(range(n))
        self.slots.advance(np.arange(n), np.array(parents), moved=moved)

    def evict(self, row: int) -> None:
        if not self.plain:
            return
        row %= len(self.plain)
        last = len(self.plain) - 1
        if row != last:
            self.slots.move([last], [row])
            self.plain[row] = self.plain[last]
        self.plain.pop()

    def check(self) -> None:
        for row, request in enumerate(self.plain):
            length = self.slots.source_lengths[row]
            np.testing.assert_array_equal(self.slots.memory["keys"][row, :, :length], request.memory)
            for beam, (cache, hidden) in enumerate(request.beams):
                slot = 2 * row + beam
                assert self.slots.lengths[slot] == len(cache)
                used = self.slots.state["cache"][slot, :, : len(cache), 0]
                np.testing.assert_array_equal(used, np.tile(np.array(cache, np.float32), (2, 1)))
                np.testing.assert_array_equal(self.slots.state["hidden"][slot], [hidden, hidden])


actions = st.lists(
    st.one_of(
        st.tuples(st.just("admit"), st.integers(1, 5)),
        st.tuples(st.just("step"), st.lists(st.integers(0, 3), min_size=1, max_size=4)),
        st.tuples(st.just("evict"), st.integers(0, 3)),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(actions)
def test_rows_keep_what_their_request_put_there(todo: list[tuple[str, object]]) -> None:
    pair = Pair()
    for name, argument in todo:
        getattr(pair, name)(argument)
        pair.check()


def test_a_new_request_starts_with_fresh_state() -> None:
    pair = Pair()
    pair.admit(3)
    pair.step([0])
    pair.evict(0)
    pair.admit(2)
    assert not pair.slots.state["hidden"][:2].any()
    assert pair.slots.tokens[:2].tolist() == [7, 7]
    pair.check()


def test_several_requests_are_written_and_moved_as_one_by_one() -> None:
    memory = np.arange(3 * 2 * 4 * 3, dtype=np.float32).reshape(3, 2, 4, 3)
    together, apart = Slots(manifest(), SHAPE), Slots(manifest(), SHAPE)
    rows, lengths = [2, 0, 3], [4, 2, 3]
    together.write(rows, {"keys": memory}, lengths, start_id=7)
    for index, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        apart.write([row], {"keys": memory[index : index + 1]}, [length], start_id=7)
    together.move([2, 3], [1, 0])
    apart.move([3], [0])
    apart.move([2], [1])
    assert together.source_lengths.tolist() == apart.source_lengths.tolist()
    for row in (0, 1):
        used = slice(int(apart.source_lengths[row]))
        np.testing.assert_array_equal(together.memory["keys"][row, :, used], apart.memory["keys"][row, :, used])


@pytest.mark.skipif(sys.platform != "linux", reason="pages are Linux's")
def test_a_buffer_takes_memory_only_where_it_is_written() -> None:
    buffer = lazy_zeros([64, 1 << 18], np.float32)  # 64 MB
    before = _resident_bytes()
    buffer[:, 0] = 1.0
    assert _resident_bytes() - before < 4 << 20  # with huge pages, all of it
    assert buffer.sum() == 64


def test_a_buffer_that_there_is_no_room_for_is_a_memory_error() -> None:
    with pytest.raises(MemoryError):
        lazy_zeros([1 << 60], np.float32)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_slots_that_take_tokens_back_keep_their_state() -> None:
    slots = Slots(manifest(), SHAPE)
    slots.write([0], {"keys": np.zeros((1, 2, 1, 3), np.float32)}, [1], start_id=7)
    slots.next_state["hidden"][:2] = 5.0
    slots.advance(np.array([1, 2]), np.arange(2), moved=False)
    slots.next_state["hidden"][:2] = 6.0
    slots.advance(np.array([3, 4]), np.arange(2), moved=False, taken_back=np.array([1, 0]))
    assert slots.lengths[:2].tolist() == [1, 2]
    assert slots.tokens[:2].tolist() == [3, 4]
    assert slots.state["hidden"][:2, 0].tolist() == [5.0, 6.0]


def test_how_many_tokens_can_be_taken_back_follows_from_the_state() -> None:
    assert max_taken_back(fake_manifest()) > 1000
    assert max_taken_back(manifest()) == 1
    description = fake_manifest().model_dump()
    description["state"][0]["input"]["shape"] = ["slots", 2]
    assert max_taken_back(Manifest.model_validate(description)) == 0
