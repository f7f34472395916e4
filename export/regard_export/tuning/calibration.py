"""Finds the range of every linear layer's inputs, by running float32 graphs on real inputs.

A quantized layer with a fixed range for its inputs takes two operators, and computes each row from that row alone. A
layer whose rows differ too much in size gets no range, and scales each row when it runs
(`precision/quantized_layers.py`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
from onnx import save_model
from regard_service.bundle import Bundle, Manifest, TensorSpec
from regard_service.engine.runtime.runner import encode_inputs, source_length

from regard.arrays import Array, Float32Array
from regard_export.architectures.architecture import Architecture
from regard_export.descriptions.layers import Linear
from regard_export.examples.dev_sets import DevSet
from regard_export.examples.samples import num_affordable_sources, sample_sources
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.onnx_graph.weights_file import WeightsFile
from regard_export.precision.layer_builders import LayerBuilders, LinearBuilder
from regard_export.precision.precision_builders import PRECISION_BUILDERS
from regard_export.precision.quantization import ActivationRange
from regard_export.precision.stored_weights import with_weights_file
from regard_export.references.protocols import as_array
from regard_export.resources.memory import release_memory
from regard_export.resources.session_options import minimize_memory, num_available_cores, set_num_threads

# Operators that measure a layer's inputs, by the prefix of their outputs' names.
STATISTICS = {"least:": "ReduceMin", "most:": "ReduceMax", "norm:": "ReduceL2"}

RANGE_MARGIN = 1.15  # a range's size relative to the observed one, for inputs that were not observed

MIN_SOURCES, MAX_SOURCES = 4, 48
MAX_REQUESTS = 24  # in a batch
MAX_WORK = 1_500_000_000  # sources times parameters, beyond which there are fewer sources
MAX_NEW_TOKENS = 64

# The median row's root mean square must span at least this many of the 255 steps of a fixed range. Rows of very
# different sizes, and rows with few large numbers, span less.
MIN_RMS_STEPS = 10.0


def calibrate(architecture: Architecture, bundle: Bundle, dev: DevSet) -> dict[str, ActivationRange]:
    """Encodes sources with an observed graph, and decodes them greedily with another one.

    A graph's session is open only while it runs, since each holds a model in memory. Sources are encoded one by one,
    since padding is no input; in a step every row is a hypothesis, so that sources are decoded in batches.

    Args:
        bundle: the same model in float32.
        dev: provides the sources; if it is empty, example inputs do.

    Returns:
        ranges by the layers' names; a layer that no range suits has none.
    """
    manifest = bundle.manifest
    num_sources = num_affordable_sources(manifest, min_sources=MIN_SOURCES, max_sources=MAX_SOURCES, max_work=MAX_WORK)
    samples = [(key, as_array(source)) for key, source in sample_sources(bundle, dev, num_sources)]
    with _observed(architecture.encode, bundle.folder.parent) as encode:
        memory = [encode.run(encode_inputs(manifest, [source])) for _, source in samples]
        ranges = encode.ranges()
    first_ids = [manifest.target.forced_first_id(key) for key, _ in samples]
    lengths = [source_length(manifest, source) for _, source in samples]
    with _observed(architecture.step, bundle.folder.parent) as step:
        for first in range(0, len(samples), MAX_REQUESTS):
            group = slice(first, first + MAX_REQUESTS)
            _decode(step, manifest, _padded(manifest, memory[group]), lengths[group], first_ids[group])
        return ranges | step.ranges()


def _padded(manifest: Manifest, memory: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Joins the memory of several sources, with zeros behind the shorter ones."""
    joined = {}
    for spec in manifest.memory:
        parts = [tensors[spec.name][0] for tensors in memory]
        shape = np.max([part.shape for part in parts], axis=0)
        tensor = joined[spec.name] = np.zeros((len(parts), *shape), parts[0].dtype)
        for row, part in zip(tensor, parts, strict=True):
            row[tuple(map(slice, part.shape))] = part
    return joined


def _decode(
    step: "_ObservedSession",
    manifest: Manifest,
    memory: Mapping[str, Array],
    lengths: Sequence[int],
    first_ids: Sequence[int | None],
) -> None:
    """Decodes greedily. A finished output leaves the batch, so that no tokens behind an end are observed.

    Args:
        memory: of all sources, [requests, ...].
        lengths: positions of each source.
        first_ids: the first token of each output, if its language forces one.
    """
    target, max_new_tokens = manifest.target, min(MAX_NEW_TOKENS, manifest.max_target_tokens)
    sizes = {"slots": len(lengths), "source": max(lengths), "capacity": max_new_tokens}
    rows = {**memory, **{spec.input.name: _zeros(spec.input, sizes) for spec in manifest.state}}
    rows["source_lengths"] = np.array(lengths, np.int32)
    rows["tokens"] = np.full(len(lengths), target.start_id, np.int64)
    for position in range(max_new_tokens):
        rows["lengths"] = np.full(len(rows["tokens"]), position, np.int32)
        scalars = {"total_length": np.array(position + 1, np.int32), "num_candidates": np.array([1])}
        values = step.run({**rows, **scalars})
        rows |= {spec.input.name: values[spec.output] for spec in manifest.state}
        rows["tokens"] = values["candidate_ids"][:, 0]
        if position == 0:
            pairs = zip(first_ids, rows["tokens"], strict=True)
            rows["tokens"] = np.array([best if first is None else first for first, best in pairs], np.int64)
        is_live = ~np.isin(rows["tokens"], target.end_ids)
        if not is_live.any():
            return
        if not is_live.all():
            rows = {name: values[is_live] for name, values in rows.items()}


def activation_range(least: Float32Array, most: Float32Array, rms: Float32Array) -> ActivationRange | None:
    """The range that suits all rows of a layer's inputs, or None.

    Args:
        least, most, rms: float32 [rows], each row's minimum, maximum and root mean square.
    """
    observed = ActivationRange(float(least.min()) * RANGE_MARGIN, float(most.max()) * RANGE_MARGIN)
    step, _ = observed.quantization()
    return observed if np.median(rms) >= MIN_RMS_STEPS * step else None


class _ObservedSession:
    """A session whose graph outputs the statistics of its layers' inputs, and the statistics of all runs.

    Args:
        widths: of the layers' inputs, by the layers' names.
    """

    def __init__(self, graph: BuiltGraph, file: Path, widths: Mapping[str, int]) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        minimize_memory(options)
        set_num_threads(options, num_available_cores())
        self._widths = widths
        self._inputs = {spec.name for spec in graph.inputs}
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]
        self._rows: dict[str, list[Float32Array]] = defaultdict(list)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Runs the graph on the inputs that it has; returns its outputs by name, without the statistics."""
        values = self._session.run(self._names, {name: x for name, x in inputs.items() if name in self._inputs})
        outputs = dict(zip(self._names, values, strict=True))
        for name in [name for name in outputs if name.startswith(tuple(STATISTICS))]:
            self._rows[name].append(outputs.pop(name))
        return outputs

    def ranges(self) -> dict[str, ActivationRange]:
        """Ranges by the layers' names; a layer that no range suits has none."""
        ranges = {}
        for layer, width in self._widths.items():
            least, most, norm = (np.concatenate(self._rows[prefix + layer]) for prefix in STATISTICS)
            ranges[layer] = activation_range(least, most, norm / np.sqrt(width))
        return {layer: found for layer, found in ranges.items() if found is not None}


@contextmanager
def _observed(build: Callable[[LayerBuilders], BuiltGraph], folder: Path) -> Iterator[_ObservedSession]:
    """Builds a float32 graph with statistics as outputs, and opens it; its files are in a temporary folder there."""
    widths: dict[str, int] = {}

    def with_statistics(add_linear: LinearBuilder) -> LinearBuilder:
        def add(graph: GraphBuilder, x: str, layer: Linear) -> str:
            widths[layer.name] = layer.weight.shape[1]
            last_axis = graph.constant(np.array([-1]))
            for prefix, op in STATISTICS.items():
                spec = TensorSpec(name=f"{prefix}{layer.name}", dtype="float32", shape=("rows",))
                graph.node("Reshape", graph.node(op, x, last_axis, keepdims=0), last_axis, output=spec.name)
                graph.output(spec)
            return add_linear(graph, x, layer)

        return add

    plain = PRECISION_BUILDERS["float32"].step
    observing = LayerBuilders(with_statistics(plain.linear), with_statistics(plain.head), plain.embed)
    with TemporaryDirectory(dir=folder) as scratch:
        file = Path(scratch, "observed.onnx")
        with WeightsFile(file.with_suffix(".bin")) as weights:
            graph = build(with_weights_file(observing, weights))
            weights.take_from(graph.model)
        save_model(graph.model, file)
        release_memory()
        yield _ObservedSession(graph, file, widths)


def _zeros(spec: TensorSpec, sizes: Mapping[str, int]) -> Array:
    return np.zeros([sizes[axis] if isinstance(axis, str) else axis for axis in spec.shape], spec.dtype)
