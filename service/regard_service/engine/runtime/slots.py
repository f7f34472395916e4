"""The buffers of one running batch: every request's memory, every slot's state.

Allocated once and never cleared: lengths mask what is stale. Live requests are always rows 0 to n - 1, so that
a prefix of each buffer is what a step works on.
"""

import math
import mmap
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from regard.arrays import Array, Int32Array, Int64Array
from regard_service.bundle import NOVELTY, Manifest, TensorSpec
from regard_service.engine.runtime.word_list import WordList


@dataclass(frozen=True)
class SlotsShape:
    """Sizes of a running batch.

    Attributes:
        max_requests: rows; `max_requests * num_beams` slots.
        source: longest source, in positions.
        capacity: longest target, in positions.
        is_listed: whether its requests choose among the words of their shortlists.
    """

    max_requests: int
    num_beams: int
    source: int
    capacity: int
    is_listed: bool = False

    @property
    def max_slots(self) -> int:
        """Slots of all rows."""
        return self.max_requests * self.num_beams

    def sizes(self, spec: TensorSpec) -> list[int]:
        """A tensor's full size."""
        named = {
            "requests": self.max_requests,
            "slots": self.max_slots,
            "source": self.source,
            "capacity": self.capacity,
        }
        return [named[axis] if isinstance(axis, str) else axis for axis in spec.shape]


def lazy_zeros(sizes: Sequence[int], dtype: DTypeLike) -> Array:
    """Zeros that take memory page by page when they are first written; most of a cache never is.

    NumPy would use huge pages, where a single written number takes 2 MB.

    Raises:
        MemoryError: the system has no memory for them.
    """
    if sys.platform != "linux":
        return np.zeros(sizes, dtype)
    num_bytes = math.prod(sizes) * np.dtype(dtype).itemsize
    try:
        pages = mmap.mmap(-1, max(1, num_bytes), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        pages.madvise(mmap.MADV_NOHUGEPAGE)
    except OSError as error:
        raise MemoryError(f"no memory for {num_bytes} bytes") from error
    return np.frombuffer(pages, dtype, math.prod(sizes)).reshape(sizes)


class Slots:
    """Memory and state of up to `shape.max_requests` requests.

    Attributes:
        tokens: int64 [slots], each slot's last token.
        lengths: int32 [slots], tokens before the last one.
        source_lengths: int32 [requests].
        memory: what encode returned (not RAM), by name, [requests, ...].
        state: by the step graph's input name, [slots, ...].
        next_state: by input name, where a step's output is not written in place.
        words: the words that its requests choose among; None for the whole vocabulary.
    """

    words: WordList | None = None

    def __init__(self, manifest: Manifest, shape: SlotsShape) -> None:
        self.shape = shape
        self.tokens: Int64Array = np.zeros(shape.max_slots, np.int64)
        self.lengths: Int32Array = np.zeros(shape.max_slots, np.int32)
        self.source_lengths: Int32Array = np.zeros(shape.max_requests, np.int32)
        self.memory = {spec.name: self._allocate(spec) for spec in manifest.memory}
        self.state = {spec.input.name: self._allocate(spec.input) for spec in manifest.state}
        self.next_state = {spec.input.name: self._allocate(spec.input) for spec in manifest.state if not spec.in_place}
        self._source_axes = {spec.name: _axis(spec, "source") for spec in manifest.memory}
        self._capacity_axes = {spec.input.name: _axis(spec.input, "capacity") for spec in manifest.state}

    def _allocate(self, spec: TensorSpec) -> Array:
        return lazy_zeros(self.shape.sizes(spec), spec.dtype)

    @property
    def encoded_bytes(self) -> int:
        """Size of the buffers in `memory`."""
        return sum(buffer.nbytes for buffer in self.memory.values())

    @property
    def state_bytes(self) -> int:
        """Size of the buffers in `state` and `next_state`."""
        return sum(buffer.nbytes for buffer in (*self.state.values(), *self.next_state.values()))

    def novelty(self, row: int) -> float | None:
        """How unlike the export's examples a row's source is; None if the model does not compute it."""
        buffer = self.memory.get(NOVELTY)
        return None if buffer is None else float(buffer[np.array([row])][0])

    def write(
        self, rows: Sequence[int], memory: Mapping[str, Array], source_lengths: Sequence[int], start_id: int
    ) -> None:
        """Writes encoded requests into rows: item i of `memory` into `rows[i]`, with fresh state.

        One copy a buffer, not one a request: NumPy releases the interpreter's lock in each, a busy event loop takes
        it, and the worker waits.
        """
        chosen, longest = np.array(rows), max(source_lengths)
        for name, values in memory.items():
            used = _prefix_index(self._source_axes[name], longest)
            self.memory[name][(chosen, *used)] = values[used]
        self.source_lengths[chosen] = source_lengths
        self._by_row(self.tokens)[chosen] = start_id
        self._by_row(self.lengths)[chosen] = 0
        for name in self.next_state:
            self._by_row(self.state[name])[chosen] = 0

    def move(self, source_rows: Sequence[int], target_rows: Sequence[int]) -> None:
        """Copies the used parts of some requests' buffers to other rows, one copy a buffer; see `write`.

        Args:
            source_rows: in ascending order; none is among the targets.
        """
        sources, targets = _consecutive(source_rows), np.array(target_rows)
        longest = int(self.source_lengths[sources].max())
        for name, buffer in self.memory.items():
            used = _prefix_index(self._source_axes[name], longest)
            buffer[(targets, *used)] = buffer[(sources, *used)]
        self.source_lengths[targets] = self.source_lengths[sources]
        if self.words is not None:
            for source, target in zip(source_rows, target_rows, strict=True):
                self.words.move(source, target)
        num_used = int(self._by_row(self.lengths)[sources].max())
        for name, buffer in self.state.items():
            used = _prefix_index(self._capacity_axes[name], num_used)
            by_row = self._by_row(buffer)
            by_row[(targets, *used)] = by_row[(sources, *used)]
        for each in (self.tokens, self.lengths):
            self._by_row(each)[targets] = self._by_row(each)[sources]

    def _by_row(self, buffer: Array) -> Array:
        """A view of a buffer of slots, [requests, beams, ...]."""
        return buffer.reshape(self.shape.max_requests, self.shape.num_beams, *buffer.shape[1:])

    def advance(
        self, tokens: Int64Array, parents: Int64Array, *, moved: bool, taken_back: Int64Array | None = None
    ) -> None:
        """Prepares the next step: each slot continues the state of its parent.

        Args:
            tokens: int64 [slots], for the live slots.
            parents: int64 [slots]; the slot whose state each slot continues.
            moved: whether any slot continues another one's state.
            taken_back: int64 [slots], tokens that each slot gives up, at most `max_taken_back`; it continues its own
                state. None: none.
        """
        num_slots = len(tokens)
        self._count(num_slots, taken_back)
        for name, values in self.next_state.items():
            kept = slice(num_slots) if taken_back is None else np.flatnonzero(taken_back == 0)
            self.state[name][kept] = values[parents[kept]]
        if moved:
            targets = np.flatnonzero(parents != np.arange(num_slots))
            used = int(self.lengths[targets].max())
            for name in self.state.keys() - self.next_state.keys():
                cache = _prefix(self.state[name], self._capacity_axes[name], used)
                cache[targets] = cache[parents[targets]]  # the right side is a copy, so cycles are safe
        self.tokens[:num_slots] = tokens

    def _count(self, num_slots: int, taken_back: Int64Array | None) -> None:
        """Counts the tokens that the slots have read."""
        self.lengths[:num_slots] += 1
        if taken_back is not None:
            self.lengths[:num_slots] -= taken_back.astype(np.int32)


def max_taken_back(manifest: Manifest) -> int:
    """How many tokens a slot can take back: any number, where the state is a cache with a place for each token; the
    last one, where a step leaves the state before it as it was; else none.
    """
    if all(spec.in_place and "capacity" in spec.input.shape for spec in manifest.state):
        return sys.maxsize
    return int(all(not spec.in_place or "capacity" in spec.input.shape for spec in manifest.state))


def _axis(spec: TensorSpec, name: str) -> int | None:
    """Position of a named axis, counted from the end; None where the tensor has none."""
    return spec.shape.index(name) - len(spec.shape) if name in spec.shape else None


def _prefix(values: Array, axis: int | None, length: int) -> Array:
    """A view of the first `length` positions of an axis (counted from the end)."""
    view: Array = values[_prefix_index(axis, length)]
    return view


def _prefix_index(axis: int | None, length: int) -> tuple[Any, ...]:
    """The index of the first `length` positions of an axis (counted from the end); all of an array without it."""
    return (...,) if axis is None else (..., slice(length), *([slice(None)] * (-axis - 1)))


def _consecutive(rows: Sequence[int]) -> "slice[int, int, None] | Int64Array":
    """The index of ascending rows: a slice if they are consecutive, whose values need no copy of their own."""
    return slice(rows[0], rows[-1] + 1) if rows[-1] - rows[0] + 1 == len(rows) else np.array(rows)
