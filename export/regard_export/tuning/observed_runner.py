"""A runner for the engine's core whose graphs measure the inputs of their linear layers."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from onnx import save_model
from onnxruntime import InferenceSession, SessionOptions

from regard.arrays import Array, Float32Array
from regard_export.descriptions.layers import Linear
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.onnx_graph.weights_file import WeightsFile
from regard_export.precision.layer_builders import LayerBuilders, LinearBuilder
from regard_export.precision.precision_builders import PRECISION_BUILDERS
from regard_export.precision.stored_weights import with_weights_file
from regard_export.resources.memory import release_memory
from regard_export.resources.session_options import minimize_memory, num_available_cores, set_num_threads
from regard_service.bundle import Manifest, TensorSpec
from regard_service.engine.runtime.runner import Runner, StepBindings, StepOutput, encode_inputs
from regard_service.engine.runtime.slots import Slots

# Operators that measure a layer's inputs, by the prefix of their outputs' names.
STATISTICS = {"least:": "ReduceMin", "most:": "ReduceMax", "norm:": "ReduceL2"}


@dataclass(frozen=True)
class InputStatistics:
    """A layer's inputs in all runs.

    Attributes:
        least, most, rms: float32 [rows], each row's minimum, maximum and root mean square.
    """

    least: Float32Array
    most: Float32Array
    rms: Float32Array


class ObservedSession:
    """A session whose graph outputs statistics, and the statistics of all runs.

    Args:
        widths: of the layers' inputs, by the layers' names.
    """

    def __init__(self, graph: BuiltGraph, file: Path, widths: Mapping[str, int]) -> None:
        options = SessionOptions()
        options.log_severity_level = 3
        minimize_memory(options)
        set_num_threads(options, num_available_cores())
        self._widths = widths
        self._inputs = {spec.name for spec in graph.inputs}
        self._session = InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]
        self._rows: dict[str, list[Float32Array]] = defaultdict(list)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Runs the graph on the inputs that it has; returns its outputs by name, without the statistics."""
        values = self._session.run(self._names, {name: x for name, x in inputs.items() if name in self._inputs})
        outputs = dict(zip(self._names, values, strict=True))
        for name in [name for name in outputs if name.startswith(tuple(STATISTICS))]:
            self._rows[name].append(outputs.pop(name))
        return outputs

    def statistics(self) -> dict[str, InputStatistics]:
        """The statistics of all runs, by the layers' names."""
        found = {}
        for layer, width in self._widths.items():
            least, most, norm = (np.concatenate(self._rows[prefix + layer]) for prefix in STATISTICS)
            found[layer] = InputStatistics(least, most, norm / np.sqrt(width))
        return found


class ObservedRunner(Runner):
    """Runs one observed graph at a time, since each holds a model in memory; the server's runner opens both."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._observed: ObservedSession | None = None

    @contextmanager
    def observing(self, build: Callable[[LayerBuilders], BuiltGraph], folder: Path) -> Iterator[ObservedSession]:
        """Opens a graph for the block: encode for `encode`, step for `step`.

        Args:
            build: builds the graph.
            folder: holds a temporary folder with the graph's files.
        """
        with _open_observed(build, folder) as session:
            self._observed = session
            try:
                yield session
            finally:
                self._observed = None

    @property
    def _open_session(self) -> ObservedSession:
        if self._observed is None:
            raise ValueError("no graph is open")
        return self._observed

    def encode(self, sources: Sequence[Array]) -> dict[str, Array]:
        """As `Runner.encode`."""
        values = self._open_session.run(encode_inputs(self.manifest, sources))
        return {spec.name: values[spec.name] for spec in self.manifest.memory}

    def step(self, slots: Slots, num_live: int, num_candidates: int, bindings: StepBindings) -> StepOutput:
        """As `Runner.step`, without IO binding, since the statistics' sizes vary."""
        num_slots = num_live * slots.shape.num_beams
        lengths = slots.lengths[:num_slots]
        inputs: dict[str, Array] = {
            "tokens": slots.tokens[:num_slots],
            "lengths": lengths,
            "total_length": np.array(lengths.max() + 1, np.int32),
            "source_lengths": slots.source_lengths[:num_live],
            "num_candidates": np.array([num_candidates]),
            **{name: buffer[:num_live] for name, buffer in slots.memory.items()},
            **{name: buffer[:num_slots] for name, buffer in slots.state.items()},
        }
        outputs = self._open_session.run(inputs)
        for spec in self.manifest.state:
            buffers = slots.state if spec.in_place else slots.next_state
            buffers[spec.input.name][:num_slots] = outputs[spec.output]
        layers = range(self.manifest.attention.layers)
        return StepOutput(
            outputs["candidate_logits"],
            outputs["candidate_ids"],
            outputs["log_normalizer"],
            [outputs[f"cross_attention_{layer}"] for layer in layers],
        )


@contextmanager
def _open_observed(build: Callable[[LayerBuilders], BuiltGraph], folder: Path) -> Iterator[ObservedSession]:
    """Builds a float32 graph with statistics as outputs, and opens it."""
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
        yield ObservedSession(graph, file, widths)
