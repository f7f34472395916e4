"""What numbers reach each linear layer, seen while float32 graphs decode real inputs.

A quantized layer with a fixed range for its inputs takes two operators and computes each row from that row alone. Where
one range does not suit all rows, the layer gets none and finds each row's scale itself (`export/quantize.py`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import save_model

from export.architecture import Architecture
from export.dev import DevSet
from export.graph.builder import GraphBuilder
from export.graph.contract import Graph
from export.graph.weights_file import WeightsFile, stored
from export.inputs import open_inputs
from export.mapped import let_mapped_files_go
from export.quantize import FORMS, Draw, Float32Array, Form, Linear, Range
from export.serving import ServingGraphs
from models.bundle import Bundle, TensorSpec
from service.engine.runner import encode_inputs, source_length

Array = NDArray[Any]

# Outputs that tell of a layer's inputs, by what their names begin with.
STATISTICS = {"least:": "ReduceMin", "most:": "ReduceMax", "norm:": "ReduceL2"}

# How far rows that were not seen may reach, in units of those that were.
MARGIN = 1.15

NUM_SOURCES, MIN_SOURCES = 48, 4
MAX_WORK = 1_500_000_000  # sources times parameters, beyond which there are fewer of them
MAX_NEW_TOKENS = 64

# The root mean square of an ordinary row must be so many of the 255 steps that a fixed range is divided into. Rows of
# very different sizes, and rows with few large numbers, leave less.
MIN_STEPS = 10.0


def calibrate(architecture: Architecture, bundle: Bundle, dev: DevSet) -> dict[str, Range]:
    """Runs sources and their greedy outputs through observed graphs, one at a time, since padding is no input.

    Args:
        bundle: the same model in float32.
        dev: whose sources are taken; examples, where it is empty.

    Returns:
        ranges by the layers' names; layers that no range suits have none.
    """
    manifest, sources = bundle.manifest, list(_samples(bundle, dev))
    outputs = _outputs(bundle, sources)
    with TemporaryDirectory(dir=bundle.folder.parent) as folder:
        encode = _observe(architecture.encode, Path(folder, "encode.onnx"))
        step = _observe(architecture.step, Path(folder, "step.onnx"))
    let_mapped_files_go()
    for source, output in zip(sources, outputs, strict=True):
        memory = encode.run(encode_inputs(manifest, [source]))
        sizes = {"slots": 1, "source": source_length(manifest, source), "capacity": len(output)}
        state = {spec.input.name: _zeros(spec.input, sizes) for spec in architecture.state}
        fixed = {"source_lengths": np.array([sizes["source"]], np.int32), "num_candidates": np.array([1])}
        for position, token in enumerate([manifest.target.start_id, *output[:-1]]):
            lengths, total = np.array([position], np.int32), np.array(position + 1, np.int32)
            moving = {"tokens": np.array([token]), "lengths": lengths, "total_length": total}
            values = step.run({**memory, **state, **fixed, **moving})
            state = {spec.input.name: values[spec.output] for spec in architecture.state}
    return {**encode.ranges(), **step.ranges()}


def _samples(bundle: Bundle, dev: DevSet) -> Iterator[Array]:
    """Sources, languages or styles in turn."""
    manifest, inputs = bundle.manifest, open_inputs(bundle)
    keys = manifest.styles or manifest.target_languages or ("",)
    raw = {key: [example.source for example in examples] for key, examples in dev.items()}
    streams = {key: cycle(raw.get(key) or inputs.examples) for key in keys}
    affordable = max(MIN_SOURCES, MAX_WORK // max(1, manifest.num_parameters))
    for key in islice(cycle(keys), min(NUM_SOURCES, affordable)):
        source = inputs.read(next(streams[key]), key)
        yield source if isinstance(source, np.ndarray) else np.array(source, np.int64)


def _outputs(bundle: Bundle, sources: Sequence[Array]) -> list[list[int]]:
    """What the model makes of the sources, greedily."""
    graphs = ServingGraphs(bundle, "float32")
    limit = min(MAX_NEW_TOKENS, bundle.manifest.max_target_tokens)
    return [d.hypothesis.tokens.tolist() for d in graphs.decode(sources, num_beams=1, max_new_tokens=limit)]


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
        options.enable_cpu_mem_arena = False
        # Weights stay in their file, which is mapped, instead of being copied in another order.
        options.add_session_config_entry("session.disable_prepacking", "1")
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


def _observe(build: Callable[[Form], Graph], file: Path) -> _Observed:
    """A graph in float32, with outputs that tell what enters its layers; written to a file that may go afterwards."""
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
    with WeightsFile(file.with_suffix(".bin")) as weights:
        graph = build(stored(Form(watched(plain.linear), watched(plain.head), plain.embed), weights))
        weights.take_from(graph.model)
    save_model(graph.model, file)
    return _Observed(graph, file, widths)


def _zeros(spec: TensorSpec, sizes: Mapping[str, int]) -> Array:
    return np.zeros([sizes[axis] if isinstance(axis, str) else axis for axis in spec.shape], spec.dtype)
