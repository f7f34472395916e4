"""Running batches on a GPU: memory, state and maps stay on the device; each step transfers only the candidates.

Graphs and search are the same as on the CPU. Buffers are OrtValues on the device, bound by their addresses; requests
enter, move and reorder by copies within the device. Maps are transferred only for requests that keep attention.

There are no CUDA graphs: they replay calls with the recorded numbers, while GroupQueryAttention reads the cache's
length and TopK its number of candidates from the CPU's memory, where both change from step to step.
"""

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Protocol

import numpy as np

from regard.arrays import Array, Float32Array, Int64Array
from regard_service.bundle import Bundle, Manifest, Provider, TensorSpec, Variant
from regard_service.engine.runtime.runner import (
    Binding,
    Runner,
    StepOutput,
    allocate_on,
    encode_inputs,
    load_cuda,
    value_of,
)
from regard_service.engine.runtime.slots import Slots, SlotsShape
from regard_service.errors import NotReady


@dataclass(frozen=True)
class Block:
    """A part of memory: `height` pieces, the first at `address`, each `pitch` bytes after the one before."""

    address: int
    pitch: int


class Device(Protocol):
    """What the engine needs of a GPU beside running graphs. Addresses are in device memory.

    Attributes:
        name: as ONNX Runtime calls it.
    """

    name: str

    def copy(self, target: Block, source: Block, width: int, height: int) -> None:
        """Copies `height` pieces of `width` bytes within the device; they must not overlap."""

    def clear(self, address: int, num_bytes: int) -> None:
        """Sets bytes to 0."""

    def fetch(self, target: Array, address: int) -> None:
        """Fills a C-contiguous array from device memory."""

    def synchronize(self) -> None:
        """Waits until all copies are done; graphs run on another stream."""


class Cuda:
    """The CUDA runtime that ONNX Runtime's provider has loaded.

    Raises:
        NotReady: there is none.
    """

    name = "cuda"
    _TO_HOST, _WITHIN = 2, 3  # cudaMemcpyKind

    def __init__(self) -> None:
        for name in ("libcudart.so.13", "libcudart.so.12", "libcudart.so"):
            try:
                self._runtime: Any = ctypes.CDLL(name)
                return
            except OSError:
                continue
        raise NotReady("the CUDA runtime (libcudart) cannot be loaded")

    def copy(self, target: Block, source: Block, width: int, height: int) -> None:
        """Starts the copy (cudaMemcpy2DAsync)."""
        pieces = [ctypes.c_void_p(target.address), ctypes.c_size_t(target.pitch)]
        pieces += [ctypes.c_void_p(source.address), ctypes.c_size_t(source.pitch)]
        self._check(
            self._runtime.cudaMemcpy2DAsync(
                *pieces, ctypes.c_size_t(width), ctypes.c_size_t(height), ctypes.c_int(self._WITHIN), None
            )
        )

    def clear(self, address: int, num_bytes: int) -> None:
        """Sets bytes to 0 (cudaMemset)."""
        self._check(self._runtime.cudaMemset(ctypes.c_void_p(address), ctypes.c_int(0), ctypes.c_size_t(num_bytes)))

    def fetch(self, target: Array, address: int) -> None:
        """Copies to the CPU and waits for it (cudaMemcpy)."""
        where = ctypes.c_void_p(target.ctypes.data), ctypes.c_void_p(address)
        self._check(self._runtime.cudaMemcpy(*where, ctypes.c_size_t(target.nbytes), ctypes.c_int(self._TO_HOST)))

    def synchronize(self) -> None:
        """Waits for all copies (cudaDeviceSynchronize)."""
        self._check(self._runtime.cudaDeviceSynchronize())

    def _check(self, status: int) -> None:
        if status:
            raise RuntimeError(f"CUDA call failed with status {status}")


@dataclass(frozen=True)
class DeviceArray:
    """An array on the device; `value`, an OrtValue, owns its memory."""

    device: Device
    value: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def zeros(cls, device: Device, shape: Sequence[int], dtype: Any) -> "DeviceArray":
        """Cleared memory: a masked position counts 0 times its value, and stale memory may be NaN."""
        value = allocate_on(device.name, shape, dtype)
        made = cls(device, value, tuple(shape), np.dtype(dtype))
        device.clear(made.address, made.nbytes)
        return made

    @cached_property
    def address(self) -> int:
        """Of the first byte, in device memory."""
        return int(self.value.data_ptr())

    @property
    def nbytes(self) -> int:
        """Size of the array."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def row_bytes(self) -> int:
        """Size of one row."""
        return prod(self.shape[1:]) * self.dtype.itemsize

    def copy_row(self, row: int, source: "DeviceArray", source_row: int, axis: int | None, length: int) -> None:
        """Copies a row from another array, or the first `length` positions of one of its axes (counted from the end).

        Rows may differ in the length of that axis only.
        """
        target_block, source_block = self._row(row, axis), source._row(source_row, axis)
        if axis is None:
            self.device.copy(target_block, source_block, self.row_bytes, 1)
        elif length:
            width = length * prod(self.shape[len(self.shape) + axis + 1 :]) * self.dtype.itemsize
            self.device.copy(target_block, source_block, width, prod(self.shape[1:axis]))

    def _row(self, row: int, axis: int | None) -> Block:
        pitch = self.row_bytes if axis is None else prod(self.shape[axis:]) * self.dtype.itemsize
        return Block(self.address + row * self.row_bytes, pitch)

    def bind_input(self, io: Any, name: str, num_rows: int) -> None:
        """Binds the first rows."""
        io.bind_input(name, self.device.name, 0, self.dtype.type, [num_rows, *self.shape[1:]], self.address)

    def bind_output(self, io: Any, name: str, num_rows: int) -> None:
        """Binds the first rows."""
        io.bind_output(name, self.device.name, 0, self.dtype.type, [num_rows, *self.shape[1:]], self.address)

    def __getitem__(self, rows: Int64Array) -> Array:
        """Rows by their numbers, copied to the CPU; `MapHistory` reads maps so."""
        fetched = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for target, row in zip(fetched, rows.tolist(), strict=True):
            self.device.fetch(target, self.address + row * self.row_bytes)
        return fetched


class DeviceSlots(Slots):
    """`Slots` whose memory and state lie on a device; tokens and lengths are the CPU's."""

    def __init__(self, manifest: Manifest, shape: SlotsShape, device: Device) -> None:
        self._device = device
        self._spare: dict[str, DeviceArray] = {}
        super().__init__(manifest, shape)

    def _allocate(self, spec: TensorSpec) -> Any:
        return DeviceArray.zeros(self._device, self.shape.sizes(spec), spec.dtype)

    def write(
        self, rows: Sequence[int], memory: Mapping[str, Any], source_lengths: Sequence[int], start_id: int
    ) -> None:
        """As `Slots.write`; `memory` is on the device."""
        for index, (row, source_length) in enumerate(zip(rows, source_lengths, strict=True)):
            self._write_row(row, memory, index, source_length)
            self.tokens[self._slots(row)] = start_id
        self._device.synchronize()

    def _write_row(self, row: int, memory: Mapping[str, Any], index: int, source_length: int) -> None:
        """Writes item `index` of a memory into a row, with fresh state but for its tokens."""
        for name, values in memory.items():
            self.memory[name].copy_row(row, values, index, self._source_axes[name], source_length)  # type: ignore[attr-defined]
        self.source_lengths[row] = source_length
        slots = self._slots(row)
        self.lengths[slots] = 0
        for name in self.next_state:
            state: Any = self.state[name]
            self._device.clear(state.address + slots.start * state.row_bytes, self.shape.num_beams * state.row_bytes)

    def move(self, source_rows: Sequence[int], target_rows: Sequence[int]) -> None:
        """As `Slots.move`, by copies within the device."""
        for source, target in zip(source_rows, target_rows, strict=True):
            self._move_row(source, target)
        self._device.synchronize()

    def _move_row(self, source_row: int, target_row: int) -> None:
        length = int(self.source_lengths[source_row])
        for name, buffer in self._arrays(self.memory):
            buffer.copy_row(target_row, buffer, source_row, self._source_axes[name], length)
        self.source_lengths[target_row] = length
        sources, targets = self._slots(source_row), self._slots(target_row)
        used = int(self.lengths[sources].max())
        for name, buffer in self._arrays(self.state):
            for beam in range(self.shape.num_beams):
                source, target = sources.start + beam, targets.start + beam
                buffer.copy_row(target, buffer, source, self._capacity_axes[name], used)
        self.tokens[targets] = self.tokens[sources]
        self.lengths[targets] = self.lengths[sources]

    def _slots(self, row: int) -> slice:
        return slice(row * self.shape.num_beams, (row + 1) * self.shape.num_beams)

    def advance(
        self, tokens: Int64Array, parents: Int64Array, *, moved: bool, taken_back: Int64Array | None = None
    ) -> None:
        """As `Slots.advance`, by copies within the device."""
        num_slots = len(tokens)
        self._count(num_slots, taken_back)
        for name, values in self._arrays(self.next_state):
            for slot, parent in enumerate(parents.tolist()):
                if taken_back is not None and taken_back[slot]:
                    continue
                self.state[name].copy_row(slot, values, parent, None, 0)  # type: ignore[attr-defined]
        if moved:
            targets = np.flatnonzero(parents != np.arange(num_slots)).tolist()
            used = int(self.lengths[targets].max())
            for name, buffer in self._arrays(self.state):
                if name not in self.next_state:
                    self._reorder(name, buffer, targets, parents, used)
        self.tokens[:num_slots] = tokens
        if moved or self.next_state:
            self._device.synchronize()

    def _reorder(self, name: str, buffer: DeviceArray, targets: list[int], parents: Int64Array, used: int) -> None:
        """Copies through a second buffer, because a parent may be a target itself."""
        axis = self._capacity_axes[name]
        if name not in self._spare:
            self._spare[name] = DeviceArray.zeros(self._device, buffer.shape, buffer.dtype.type)
        for target in targets:
            self._spare[name].copy_row(target, buffer, int(parents[target]), axis, used)
        for target in targets:
            buffer.copy_row(target, self._spare[name], target, axis, used)

    @staticmethod
    def _arrays(buffers: Mapping[str, Any]) -> Iterator[tuple[str, DeviceArray]]:
        yield from buffers.items()


class DeviceRunner(Runner):
    """A runner whose memory, state and maps stay on the device."""

    def __init__(self, bundle: Bundle, variant: Variant, provider: Provider, device: Device | None = None) -> None:
        super().__init__(bundle, variant, provider)
        self.check_provider()
        self._device = device or Cuda()

    def open_slots(self, shape: SlotsShape) -> Slots:
        """Allocates the buffers of a running batch on the device."""
        return DeviceSlots(self.manifest, shape, self._device)

    def encode(self, sources: Sequence[Array]) -> dict[str, Any]:
        """As `Runner.encode`, its arrays on the device."""
        io = self._encode.io_binding()
        inputs = encode_inputs(self.manifest, sources)
        for name in self._encode_inputs:
            io.bind_ortvalue_input(name, value_of(np.ascontiguousarray(inputs[name])))
        for spec in self.manifest.memory:
            io.bind_output(spec.name, self._device.name)
        self._encode.run_with_iobinding(io)
        values = zip(self.manifest.memory, io.get_outputs(), strict=True)
        return {s.name: DeviceArray(self._device, v, tuple(v.shape()), np.dtype(s.dtype)) for s, v in values}

    def bind(self, slots: Slots, num_live: int, num_candidates: int) -> Binding:
        """As `Runner.bind`; memory, state and maps are bound by their addresses on the device."""
        num_slots = num_live * slots.shape.num_beams
        io = self._step.io_binding()
        total_length = np.zeros((), np.int32)
        inputs: dict[str, Array] = {
            "tokens": slots.tokens[:num_slots],
            "lengths": slots.lengths[:num_slots],
            "total_length": total_length,
            "source_lengths": slots.source_lengths[:num_live],
            "num_candidates": np.array([num_candidates], np.int64),
        }
        for name in self._step_inputs & inputs.keys():
            io.bind_ortvalue_input(name, value_of(inputs[name]))
        buffers: dict[str, tuple[Any, int]] = {
            **{name: (buffer, num_live) for name, buffer in slots.memory.items()},
            **{name: (buffer, num_slots) for name, buffer in slots.state.items()},
        }
        for name in self._step_inputs & buffers.keys():
            buffer, num_rows = buffers[name]
            buffer.bind_input(io, name, num_rows)
        for spec in self.manifest.state:
            following: Any = (slots.state if spec.in_place else slots.next_state)[spec.input.name]
            following.bind_output(io, spec.output, num_slots)
        output = self._bind_outputs(io, num_live, num_slots, num_candidates, slots.shape)
        return Binding(self._step, io, total_length, output, inputs)

    def _bind_outputs(
        self, io: Any, num_live: int, num_slots: int, num_candidates: int, shape: SlotsShape
    ) -> StepOutput:
        """Binds candidates to CPU memory, the one transfer of a step; maps stay on the device."""
        logits = np.empty((num_slots, num_candidates), np.float32)
        ids = np.empty((num_slots, num_candidates), np.int64)
        normalizer = np.empty(num_slots, np.float32)
        read: dict[str, Array] = {"candidate_logits": logits, "candidate_ids": ids, "log_normalizer": normalizer}
        for name, array in read.items():
            io.bind_ortvalue_output(name, value_of(array))
        maps: list[Any] = []
        for name in self._cross_outputs:
            sizes = (num_live, self.manifest.attention.heads, shape.num_beams, shape.source)
            maps.append(DeviceArray.zeros(self._device, sizes, np.float32))
            maps[-1].bind_output(io, name, num_live)
        stay: list[Float32Array] = maps
        return StepOutput(logits, ids, normalizer, stay)


def open_runner(bundle: Bundle, variant: Variant, provider: Provider, *, num_cores: int = 1) -> Runner:
    """A runner that keeps its buffers where its provider computes. Arguments and errors are those of `Runner`."""
    if provider != "CUDAExecutionProvider":
        return Runner(bundle, variant, provider, num_cores=num_cores)
    load_cuda()
    if bundle.manifest.has_decoder:
        return DeviceRunner(bundle, variant, provider)
    runner = Runner(bundle, variant, provider)  # what encode returns is the answer, which leaves the device
    runner.check_provider()
    return runner
