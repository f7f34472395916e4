"""What numbers reach each linear layer, seen while float32 graphs decode real inputs.

A quantized layer with a fixed range for its inputs takes two operators and computes each row from that row alone. Where
one range does not suit all rows, the layer gets none and finds each row's scale itself (`precision/quantize.py`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
from onnx import save_model
from regard_service.bundle import Bundle, Manifest, TensorSpec
from regard_service.engine.runtime.runner import encode_inputs, source_length

from regard.arrays import Array, Float32Array
from regard_export.architectures.architecture import Architecture
from regard_export.examples.dev_sets import DevSet
from regard_export.examples.input_readers import open_inputs
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import Graph
from regard_export.onnx_graph.weights_file import WeightsFile, stored
from regard_export.precision.quantize import FORMS, Draw, Form, Linear, Range
from regard_export.resources.memory import give_memory_back
from regard_export.resources.session_options import num_cores, save_memory, use_threads

# Outputs that tell of a layer's inputs, by what their names begin with.
STATISTICS = {"least:": "ReduceMin", "most:": "ReduceMax", "norm:": "ReduceL2"}

# How far rows that were not seen may reach, in units of those that were.
MARGIN = 1.15

NUM_SOURCES, MIN_SOURCES = 48, 4
MAX_REQUESTS = 24  # side by side
MAX_WORK = 1_500_000_000  # sources times parameters, beyond which there are fewer of them
MAX_NEW_TOKENS = 64

# The root mean square of an ordinary row must be so many of the 255 steps that a fixed range is divided into. Rows of
# very different sizes, and rows with few large numbers, leave less.
MIN_STEPS = 10.0


def calibrate(architecture: Architecture, bundle: Bundle, dev: DevSet) -> dict[str, Range]:
    """Runs sources through observed graphs, and decodes them greedily there.

    A graph's session is open only while it runs: each has a model in memory. Sources are encoded one at a time, since
    padding is no input; a step has a row a hypothesis and nothing else, so that they are decoded side by side.

    Args:
        bundle: the same model in float32.
        dev: whose sources are taken; examples, where it is empty.

    Returns:
        ranges by the layers' names; layers that no range suits have none.
    """
    manifest = bundle.manifest
    keys, sources = zip(*_samples(bundle, dev), strict=True)
    with _observed(architecture.encode, bundle.folder.parent) as encode:
        memory = [encode.run(encode_inputs(manifest, [source])) for source in sources]
        ranges = encode.ranges()
    first_ids = [manifest.target.forced_first_id(key) for key in keys]
    lengths = [source_length(manifest, source) for source in sources]
    with _observed(architecture.step, bundle.folder.parent) as step:
        for first in range(0, len(sources), MAX_REQUESTS):
            group = slice(first, first + MAX_REQUESTS)
            _decode(step, manifest, _padded(manifest, memory[group]), lengths[group], first_ids[group])
        return ranges | step.ranges()


def _samples(bundle: Bundle, dev: DevSet) -> Iterator[tuple[str, Array]]:
    """Sources, languages or styles in turn, each with its own."""
    manifest, inputs = bundle.manifest, open_inputs(bundle)
    keys = manifest.styles or manifest.target_languages or ("",)
    raw = {key: [example.source for example in examples] for key, examples in dev.items()}
    streams = {key: cycle(raw.get(key) or inputs.examples) for key in keys}
    affordable = max(MIN_SOURCES, MAX_WORK // max(1, manifest.num_parameters))
    for key in islice(cycle(keys), min(NUM_SOURCES, affordable)):
        source = inputs.read(next(streams[key]), key)
        yield key, source if isinstance(source, np.ndarray) else np.array(source, np.int64)


def _padded(manifest: Manifest, memory: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """The memory of several sources as one, zeros behind the shorter ones."""
    together = {}
    for spec in manifest.memory:
        parts = [each[spec.name][0] for each in memory]
        shape = np.max([part.shape for part in parts], axis=0)
        tensor = together[spec.name] = np.zeros((len(parts), *shape), parts[0].dtype)
        for row, part in zip(tensor, parts, strict=True):
            row[tuple(map(slice, part.shape))] = part
    return together


def _decode(
    step: "_Observed",
    manifest: Manifest,
    memory: Mapping[str, Array],
    lengths: Sequence[int],
    first_ids: Sequence[int | None],
) -> None:
    """Decodes greedily; an output that has ended leaves, so that only tokens that somebody would read are seen.

    Args:
        memory: of all sources, [requests, ...].
        lengths: of each source, in positions.
        first_ids: the first token of each output, where its language forces one.
    """
    target, limit = manifest.target, min(MAX_NEW_TOKENS, manifest.max_target_tokens)
    sizes = {"slots": len(lengths), "source": max(lengths), "capacity": limit}
    rows = {**memory, **{spec.input.name: _zeros(spec.input, sizes) for spec in manifest.state}}
    rows["source_lengths"] = np.array(lengths, np.int32)
    rows["tokens"] = np.full(len(lengths), target.start_id, np.int64)
    for position in range(limit):
        rows["lengths"] = np.full(len(rows["tokens"]), position, np.int32)
        total = {"total_length": np.array(position + 1, np.int32), "num_candidates": np.array([1])}
        values = step.run({**rows, **total})
        rows |= {spec.input.name: values[spec.output] for spec in manifest.state}
        rows["tokens"] = values["candidate_ids"][:, 0]
        if position == 0:
            chosen = zip(first_ids, rows["tokens"], strict=True)
            rows["tokens"] = np.array([best if first is None else first for first, best in chosen], np.int64)
        goes_on = ~np.isin(rows["tokens"], target.end_ids)
        if not goes_on.any():
            return
        if not goes_on.all():
            rows = {name: values[goes_on] for name, values in rows.items()}


def range_of(least: Float32Array, most: Float32Array, size: Float32Array) -> Range | None:
    """What suits all rows of a layer's inputs, or None.

    Args:
        least, most, size: float32 [rows], each row's extremes and its root mean square.
    """
    found = Range(float(least.min()) * MARGIN, float(most.max()) * MARGIN)
    step, _ = found.quantization()
    return found if np.median(size) >= MIN_STEPS * step else None


class _Observed:
    """A graph's session, and what was seen in it."""

    def __init__(self, graph: Graph, file: Path, widths: Mapping[str, int]) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        save_memory(options)
        use_threads(options, num_cores())
        self._widths = widths
        self._inputs = {spec.name for spec in graph.inputs}
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]
        self._rows: dict[str, list[Float32Array]] = defaultdict(list)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The graph's outputs by name; inputs that it does not have are left out."""
        values = self._session.run(self._names, {name: x for name, x in inputs.items() if name in self._inputs})
        outputs = dict(zip(self._names, values, strict=True))
        for name in [name for name in outputs if name.startswith(tuple(STATISTICS))]:
            self._rows[name].append(outputs.pop(name))
        return outputs

    def ranges(self) -> dict[str, Range]:
        """By the layers' names, of those layers that a range suits."""
        found = {}
        for layer, width in self._widths.items():
            least, most, norm = (np.concatenate(self._rows[prefix + layer]) for prefix in STATISTICS)
            found[layer] = range_of(least, most, norm / np.sqrt(width))
        return {layer: each for layer, each in found.items() if each is not None}


@contextmanager
def _observed(build: Callable[[Form], Graph], beside: Path) -> Iterator[_Observed]:
    """A graph in float32, with outputs that tell what enters its layers; its files stand in a folder of their own."""
    widths: dict[str, int] = {}

    def watched(draw: Draw) -> Draw:
        def drawn(graph: GraphBuilder, x: str, layer: Linear) -> str:
            widths[layer.name] = layer.weight.shape[1]
            last = graph.constant(np.array([-1]))
            for prefix, op in STATISTICS.items():
                spec = TensorSpec(name=f"{prefix}{layer.name}", dtype="float32", shape=("rows",))
                graph.node("Reshape", graph.node(op, x, last, keepdims=0), last, output=spec.name)
                graph.output(spec)
            return draw(graph, x, layer)

        return drawn

    plain = FORMS["float32"].step
    with TemporaryDirectory(dir=beside) as folder:
        file = Path(folder, "observed.onnx")
        with WeightsFile(file.with_suffix(".bin")) as weights:
            graph = build(stored(Form(watched(plain.linear), watched(plain.head), plain.embed), weights))
            weights.take_from(graph.model)
        save_model(graph.model, file)
        give_memory_back()
        yield _Observed(graph, file, widths)


def _zeros(spec: TensorSpec, sizes: Mapping[str, int]) -> Array:
    return np.zeros([sizes[axis] if isinstance(axis, str) else axis for axis in spec.shape], spec.dtype)
