"""A running batch on a device, which here is the CPU's own memory behind the device's interface, and counts."""

import asyncio
import ctypes
from collections.abc import Sequence

import numpy as np
import onnx
import pytest

from regard.arrays import Array
from regard_export.families.regard_checkpoints import transformer
from regard_service.bundle import Bundle
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.core.result import EngineResult
from regard_service.engine.driver.engine import Engine
from regard_service.engine.policy.policy import EngineConfig
from regard_service.engine.runtime.cuda import Block, DeviceArray, DeviceRunner, DeviceSlots
from regard_service.engine.runtime.runner import Runner
from regard_service.engine.runtime.slots import Slots, SlotsShape
from regard_service.generation import Generation
from tests.toys import SIDE, write_captioner
from tests.unit.export.transformer_checkpoints import tiny_checkpoint, write_tiny_bundle
from tests.unit.service.engine.core.test_slots import manifest


class HostDevice:
    """ONNX Runtime's "cpu" as a device: graphs really run, and every copy is counted.

    Attributes:
        fetched: bytes that were copied to the CPU on request.
        unsynchronized: copies that nobody has waited for.
    """

    name = "cpu"

    def __init__(self) -> None:
        self.fetched = self.copied = self.unsynchronized = 0

    def copy(self, target: Block, source: Block, width: int, height: int) -> None:
        for piece in range(height):
            begin, end = target.address + piece * target.pitch, source.address + piece * source.pitch
            assert abs(begin - end) >= width, "they overlap"
            ctypes.memmove(begin, end, width)
        self.copied += width * height
        self.unsynchronized += 1

    def clear(self, address: int, num_bytes: int) -> None:
        ctypes.memset(address, 0, num_bytes)

    def fetch(self, target: Array, address: int) -> None:
        assert target.flags.c_contiguous
        ctypes.memmove(target.ctypes.data, address, target.nbytes)
        self.fetched += target.nbytes

    def synchronize(self) -> None:
        self.unsynchronized = 0


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    model = transformer.from_checkpoint(tiny_checkpoint())
    return write_tiny_bundle(tmp_path_factory.mktemp("device") / "bundle", model, "float16", "float32")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_captioner(tmp_path_factory.mktemp("device") / "bundle")


async def answer(runner: Runner, requests: Sequence[EngineRequest]) -> list[EngineResult]:
    scheduler = Engine(EngineConfig(num_workers=1))
    try:
        return list(await asyncio.gather(*(scheduler.generate(runner, request) for request in requests)))
    finally:
        await asyncio.to_thread(scheduler.close)


def requests_for(bundle: Bundle, generation: Generation, *, attention: bool) -> list[EngineRequest]:
    rng = np.random.default_rng(0)
    if bundle.manifest.source.__class__.__name__ == "TextSource":
        sources = [rng.integers(7, 20, length) for length in (3, 9, 5, 4, 7)]
    else:
        sources = list(rng.uniform(-1, 1, (5, 3, SIDE, SIDE)).astype(np.float32))
    return [EngineRequest(source, generation, attention=attention) for source in sources]


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize(("name", "variant"), [("text", 0), ("text", 1), ("pictures", 0)])
async def test_results_and_maps_are_those_of_buffers_on_the_cpu(
    request: pytest.FixtureRequest, name: str, variant: int, beams: int
) -> None:
    bundle: Bundle = request.getfixturevalue(name)
    chosen = bundle.manifest.variants[variant]
    wanted = requests_for(bundle, Generation(max_new_tokens=7, num_beams=beams), attention=True)
    device = HostDevice()
    expected = await answer(Runner(bundle, chosen), wanted)
    actual = await answer(DeviceRunner(bundle, chosen, "CPUExecutionProvider", device), wanted)
    for one, other in zip(actual, expected, strict=True):
        best, same = one.hypotheses[0], other.hypotheses[0]
        assert best.tokens.tolist() == same.tokens.tolist()
        np.testing.assert_allclose(best.logprobs, same.logprobs, atol=2e-3 if chosen.precision == "float16" else 1e-5)
        assert best.cross_attention is not None
        assert same.cross_attention is not None
        np.testing.assert_allclose(best.cross_attention, same.cross_attention, atol=2e-3)
    assert device.copied > 0
    assert device.unsynchronized == 0


async def test_nothing_but_candidates_crosses_unless_maps_are_asked_for(text: Bundle) -> None:
    variant = text.manifest.variants[0]
    generation = Generation(max_new_tokens=7, num_beams=3)
    device = HostDevice()
    runner = DeviceRunner(text, variant, "CPUExecutionProvider", device)
    await answer(runner, requests_for(text, generation, attention=False))
    assert device.fetched == 0
    wanted = requests_for(text, generation, attention=True)[:1]
    [result] = await answer(runner, wanted)
    layout = text.manifest.attention
    a_position = layout.layers * layout.heads * generation.num_beams * 4
    num_positions, rest = divmod(device.fetched, a_position)
    assert rest == 0
    # A step fetches the request's own row, as long as its source's bucket.
    assert 0 < num_positions <= 32 * generation.max_new_tokens
    assert result.hypotheses[0].cross_attention is not None


def test_a_binding_reads_and_writes_the_device_but_for_what_search_needs(text: Bundle) -> None:
    device = HostDevice()
    runner = DeviceRunner(text, text.manifest.variants[0], "CPUExecutionProvider", device)
    slots = runner.open_slots(SlotsShape(2, 2, source=8, capacity=8))
    binding = runner.bind(slots, 2, 4)
    on_device = {spec.name for spec in runner.manifest.memory} | {spec.input.name for spec in runner.manifest.state}
    assert on_device.isdisjoint(binding.inputs)
    buffers = [*slots.memory.values(), *slots.state.values(), *binding.output.cross_attention]
    assert all(isinstance(each, DeviceArray) for each in buffers)
    assert sum(x.nbytes for x in binding.inputs.values()) < 200


def test_rows_do_what_rows_on_the_cpu_do() -> None:
    """Entering, moving and reordering, in any order, with cycles among parents."""
    rng = np.random.default_rng(1)
    shape = SlotsShape(max_requests=3, num_beams=2, source=5, capacity=6)
    there, here = DeviceSlots(manifest(), shape, HostDevice()), Slots(manifest(), shape)
    for row, length in enumerate((5, 2, 3)):
        memory = {
            spec.name: rng.integers(0, 99, [1, *(length if s == "source" else int(s) for s in spec.shape[1:])]).astype(
                spec.dtype
            )
            for spec in manifest().memory
        }
        on_device = {name: on(there, values) for name, values in memory.items()}
        here.write([row], memory, [length], 1)
        there.write([row], on_device, [length], 1)
    for name in here.state:
        here.state[name][...] = rng.integers(0, 99, here.state[name].shape)
        fill(there.state[name], here.state[name])
    for name in here.next_state:
        here.next_state[name][...] = rng.integers(0, 99, here.next_state[name].shape)
        fill(there.next_state[name], here.next_state[name])
    for parents in ([1, 0, 2, 2, 5, 4], [0, 1, 3, 2, 4, 4]):
        for slots in (here, there):
            slots.advance(np.arange(6), np.array(parents), moved=True)
    for slots in (here, there):
        slots.move([2], [0])
    used = int(here.lengths.max())
    for mine, other in ((here.memory, there.memory), (here.state, there.state)):
        for name, values in mine.items():
            actual = other[name][np.arange(len(values))]
            if name == "cache":  # beyond what is used, anything may stand
                values, actual = values[:, :, :used], actual[:, :, :used]
            np.testing.assert_array_equal(actual, values, name)
    np.testing.assert_array_equal(there.tokens, here.tokens)
    np.testing.assert_array_equal(there.lengths, here.lengths)


def on(slots: DeviceSlots, values: Array) -> DeviceArray:
    array = DeviceArray.zeros(slots._device, values.shape, values.dtype.type)
    fill(array, values)
    return array


def fill(array: object, values: Array) -> None:
    assert isinstance(array, DeviceArray)
    ctypes.memmove(array.address, np.ascontiguousarray(values).ctypes.data, values.nbytes)


# Operators that ONNX Runtime's CUDA provider has for float16; the float16 graphs may hold no others.
# A new one has to be looked up before it is added; where there is a GPU, tests/parity/test_cuda.py asks the provider.
CUDA_OPERATORS = {
    "Add", "Cast", "Concat", "Gather", "Gemm", "LayerNormalization", "Less", "LogSoftmax", "MatMul", "Relu", "Reshape",
    "Shape", "Slice", "Softmax", "Split", "Sub", "TopK", "Transpose", "Where",
    "com.microsoft.GroupQueryAttention", "com.microsoft.MultiHeadAttention",
}  # fmt: skip


@pytest.mark.parametrize("name", ["encode", "step"])
def test_no_node_of_a_float16_graph_falls_to_the_cpu(text: Bundle, name: str) -> None:
    graph = onnx.load(text.path(f"float16/{name}.onnx"), load_external_data=False).graph
    operators = {f"{node.domain}.{node.op_type}".lstrip(".") for node in graph.node}
    assert operators - CUDA_OPERATORS == set()
