"""Runs a bundle's graphs. The only module that imports ONNX Runtime."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime import InferenceSession, OrtValue

from regard.arrays import Array, Float32Array, Int64Array
from regard_service.bundle import (
    BadShortlist,
    Bundle,
    GraphSpec,
    Manifest,
    PiecesOutput,
    Provider,
    Shortlist,
    TextSource,
    Variant,
    parse_shortlist,
)
from regard_service.engine.runtime.slots import Slots, SlotsShape
from regard_service.engine.runtime.trace import Trace, read_trace
from regard_service.engine.runtime.word_list import WordList
from regard_service.errors import NotReady


@dataclass(frozen=True)
class StepOutput:
    """What one step computes for every live slot; views of buffers that the next step overwrites.

    Attributes:
        candidate_logits: float32 [slots, candidates], descending.
        candidate_ids: int64 [slots, candidates].
        log_normalizer: float32 [slots].
        cross_attention: one float32 [requests, heads, beams, source] a layer; `source` is the bucket's.
    """

    candidate_logits: Float32Array
    candidate_ids: Int64Array
    log_normalizer: Float32Array
    cross_attention: list[Float32Array]


# Sources with fewer positions are encoded on one core: waking other threads would take as long.
MIN_POSITIONS_ON_ALL_CORES = 24


class Runner:
    """A bundle's encode graph, and its step graph if it has a decoder, on one execution provider.

    Calls may come from several threads.

    Args:
        provider: must be available and in the variant's list.
        num_cores: how many `encode_on_all_cores` uses; a GPU's runner ignores it.

    Raises:
        NotReady: the provider is missing, or a graph cannot be loaded or differs from the manifest.
    """

    _encode_on_all_cores: InferenceSession | None = None
    _step: InferenceSession  # of models with a decoder
    _shortlist: Shortlist | None = None

    def __init__(
        self, bundle: Bundle, variant: Variant, provider: Provider = "CPUExecutionProvider", *, num_cores: int = 1
    ) -> None:
        self.manifest = bundle.manifest.of(variant)
        self.variant = variant
        self.provider = provider
        if provider not in self.available_providers():
            raise NotReady(
                f"model {self.manifest.name!r}: provider {provider} is not available here; "
                f"there are {', '.join(self.available_providers())}"
            )
        self._bundle = bundle
        self._trace: InferenceSession | None = None
        self._tracing = threading.Lock()
        self._encode = self._session(bundle, variant.encode)
        if variant.step is not None:
            self._step = self._session(bundle, variant.step)
            self._step_inputs = {spec.name for spec in variant.step.inputs}
        self._encode_inputs = {spec.name for spec in variant.encode.inputs}
        self.use_cores(num_cores)
        if variant.select is not None and variant.listed_step is not None and provider == "CPUExecutionProvider":
            self._open_lists(variant.select, variant.listed_step)
        self._cross_outputs = [f"cross_attention_{layer}" for layer in range(self.manifest.attention.layers)]
        self._is_text = isinstance(self.manifest.source, TextSource)

    def use_cores(self, number: int) -> None:
        """Opens what `encode_on_all_cores` needs for this many cores."""
        if number > 1 and self.provider == "CPUExecutionProvider":
            self._encode_on_all_cores = self._open_on_all_cores(number)

    @staticmethod
    def available_providers() -> list[str]:
        """The execution providers of this installation, best first."""
        return list(onnxruntime.get_available_providers())

    def check_provider(self) -> None:
        """Raises NotReady if graphs run elsewhere: without CUDA's libraries ONNX Runtime takes the CPU and only logs
        it.
        """
        if self.provider not in self._encode.get_providers():
            raise NotReady(
                f"model {self.manifest.name!r}: {self.provider} cannot be used here; its libraries do not load"
            )

    def _session(
        self, bundle: Bundle, graph: GraphSpec, options: onnxruntime.SessionOptions | None = None
    ) -> InferenceSession:
        options = options or self._options()
        try:
            session = InferenceSession(bundle.path(graph.file), options, providers=[self.provider])
        except Exception as error:  # ONNX Runtime raises another type for each status
            raise NotReady(f"model {self.manifest.name!r}: {graph.file} cannot be loaded: {error}") from error
        faults = _signature_faults(session, graph)
        if faults:
            raise NotReady(f"model {self.manifest.name!r}: {graph.file} differs from its manifest: {'; '.join(faults)}")
        return session

    def _options(self) -> onnxruntime.SessionOptions:
        """One intra-op thread: several workers keep the cores busy instead."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Activations use an arena, which keeps its memory; weights are never freed and need none.
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
        if self.provider == "CPUExecutionProvider":
            _share_arena()
            options.add_session_config_entry("session.use_env_allocators", "1")
        if not self.variant.narrow_weights:
            # Without it, products of 8-bit numbers overflow on CPUs without VNNI instructions.
            options.add_session_config_entry("session.x64quantprecision", "1")
        return options

    def _open_on_all_cores(self, num_cores: int) -> InferenceSession | None:
        """A second session of the encode graph, for use while no other worker computes; None where its results are not
        the same to the last bit.

        It does not prepack weights, so that they are in memory once. Each run packs them; for a large source this is a
        small part.
        """
        options = self._options()
        options.intra_op_num_threads = num_cores
        options.add_session_config_entry("session.disable_prepacking", "1")
        options.add_session_config_entry("session.force_spinning_stop", "1")  # cores are free between two runs
        session = self._session(self._bundle, self.variant.encode, options)
        sources = [_probe(self.manifest)]
        usual, other = (self._encoded(each, sources) for each in (self._encode, session))
        return session if all(np.array_equal(usual[name], other[name]) for name in usual) else None

    def _open_lists(self, select: GraphSpec, listed_step: GraphSpec) -> None:
        """Opens the graphs that choose among a shortlist's words."""
        target = self.manifest.target
        try:
            content = self._bundle.path(self.manifest.shortlist or "").read_bytes()
            self._shortlist = parse_shortlist(content, None, target.vocab_size)
        except (OSError, BadShortlist) as error:
            raise NotReady(
                f"model {self.manifest.name!r}: {self.manifest.shortlist} cannot be read: {error}"
            ) from error
        self._select = self._session(self._bundle, select)
        self._select_outputs = [spec.name for spec in select.outputs]
        self._listed_step = self._session(self._bundle, listed_step)
        self._listed_inputs = {spec.name for spec in listed_step.inputs}
        self._always = np.array(target.end_ids, np.int64)

    @property
    def has_shortlist(self) -> bool:
        """Whether requests can choose among a shortlist's words."""
        return self._shortlist is not None

    def allowed_words(self, source: Array, others: Sequence[int] = ()) -> Int64Array:
        """The words that the shortlist allows for a source's ids, int64 [words]: first those that end the output.

        Args:
            others: words that a request may write besides.
        """
        if self._shortlist is None:
            raise ValueError(f"model {self.manifest.name!r} has no shortlist")
        words = self._shortlist.allowed(source)
        if others:
            words = np.union1d(words, others).astype(np.int64)
        is_other = np.ones(len(words), np.bool_)
        for each in self._always:
            is_other &= words != each
        return np.concatenate([self._always, words[is_other]])

    def _select_words(self, ids: Int64Array) -> Mapping[str, Array]:
        values = self._select.run(self._select_outputs, {"list_ids": ids})
        return dict(zip(self._select_outputs, values, strict=True))

    def source_length(self, source: Array) -> int:
        """Positions of the source axis: tokens of a text, cells of a picture's grid."""
        return source_length(self.manifest, source)

    def encode(self, sources: Sequence[Array]) -> dict[str, Array]:
        """Encodes requests, in one call.

        Args:
            sources: as in `EngineRequest`, one a request; lengths of texts may differ.

        Returns:
            the memory, by name; of a model with a decoder [requests, ...], padded to the longest source.
        """
        return self._encoded(self._encode, sources)

    def encode_on_all_cores(self, sources: Sequence[Array]) -> dict[str, Array]:
        """As `encode`, with the same result, but on all cores where the sources are large enough."""
        num_positions = sum(self.source_length(source) for source in sources)
        if self._encode_on_all_cores is None or num_positions < MIN_POSITIONS_ON_ALL_CORES:
            return self.encode(sources)
        return self._encoded(self._encode_on_all_cores, sources)

    def _encoded(self, session: InferenceSession, sources: Sequence[Array]) -> dict[str, Array]:
        names = [spec.name for spec in self.manifest.memory]
        inputs = encode_inputs(self.manifest, sources)
        values = session.run(names, {k: v for k, v in inputs.items() if k in self._encode_inputs})
        return dict(zip(names, values, strict=True))

    def trace(
        self,
        source: Array,
        target: Int64Array,
        *,
        labels: Int64Array | None = None,
        has_contributions: bool = False,
        sides: Sequence[str] | None = None,
    ) -> Trace:
        """Runs the trace graph, and loads it before its first run.

        Args:
            source: int64 [source] ids, or float32 [3, height, width] pixels.
            target: int64 [target] ids that the decoder reads: the start token, then the output without its last token.
            labels: int64 [target] ids whose log-probabilities to compute, the output; None computes none.
            has_contributions: whether to compute contributions, as far as the graph has them.
            sides: "encoder", "decoder" or "cross", those whose maps are computed; None: all.

        Raises:
            NotReady: the graph cannot be loaded.
        """
        spec = self.variant.trace
        if spec is None:
            raise ValueError(f"model {self.manifest.name!r} has no trace graph")
        with self._tracing:
            if self._trace is None:
                self._trace = self._session(self._bundle, spec)
        names = [each.name for each in spec.outputs if sides is None or each.name.partition("_")[0] in sides]
        inputs: dict[str, Array] = {
            **({"source_ids": source} if self._is_text else {"pixels": source[None]}),
            "target_ids": target,
            "label_ids": target if labels is None else labels,
            "wants_logprobs": np.array(labels is not None),
            "wants_contributions": np.array(has_contributions),
        }
        known = {each.name for each in spec.inputs}
        values = self._trace.run(names, {name: value for name, value in inputs.items() if name in known})
        return read_trace(dict(zip(names, values, strict=True)))

    def step(self, slots: Slots, num_live: int, num_candidates: int, bindings: "StepBindings") -> StepOutput:
        """Runs one decoder position for the first `num_live` requests; updates the state in place."""
        binding = bindings.get(self, slots, num_live, num_candidates)
        binding.total_length[...] = slots.lengths[: num_live * slots.shape.num_beams].max() + 1
        binding.session.run_with_iobinding(binding.io)
        return binding.output

    def open_slots(self, shape: SlotsShape) -> Slots:
        """Allocates the buffers of a running batch, where this runner reads them."""
        slots = Slots(self.manifest, shape)
        if shape.is_listed and self.variant.select is not None:
            sizes = shape.max_requests, shape.num_beams, self.manifest.target.vocab_size
            slots.words = WordList(self._select_words, self.variant.select, *sizes)
        return slots

    def bind(self, slots: Slots, num_live: int, num_candidates: int) -> "Binding":
        """Binds the step graph's inputs and outputs to the live prefix of a running batch's buffers."""
        num_slots = num_live * slots.shape.num_beams
        total_length = np.zeros((), np.int32)
        session, step_inputs = self._step, self._step_inputs
        if slots.words is not None:
            session, step_inputs = self._listed_step, self._listed_inputs
        io = session.io_binding()
        inputs: dict[str, Array] = {
            "tokens": slots.tokens[:num_slots],
            "lengths": slots.lengths[:num_slots],
            "total_length": total_length,
            "source_lengths": slots.source_lengths[:num_live],
            "num_candidates": np.array([num_candidates], np.int64),
            **{name: buffer[:num_live] for name, buffer in slots.memory.items()},
            **{name: buffer[:num_slots] for name, buffer in slots.state.items()},
            **({} if slots.words is None else slots.words.inputs(num_slots)),
        }
        values = {name: OrtValue.ortvalue_from_numpy(x) for name, x in inputs.items() if name in step_inputs}
        for name, value in values.items():
            io.bind_ortvalue_input(name, value)
        outputs: dict[str, Array] = {
            "candidate_logits": np.empty((num_slots, num_candidates), np.float32),
            "candidate_ids": np.empty((num_slots, num_candidates), np.int64),
            "log_normalizer": np.empty(num_slots, np.float32),
        }
        for name in self._cross_outputs:
            shape = (num_live, self.manifest.attention.heads, slots.shape.num_beams, slots.shape.source)
            outputs[name] = np.empty(shape, np.float32)
        for spec in self.manifest.state:
            if spec.in_place:
                io.bind_ortvalue_output(spec.output, values[spec.input.name])
            else:
                outputs[spec.output] = slots.next_state[spec.input.name][:num_slots]
        for name, array in outputs.items():
            io.bind_ortvalue_output(name, OrtValue.ortvalue_from_numpy(array))
        output = StepOutput(
            outputs["candidate_logits"],
            outputs["candidate_ids"],
            outputs["log_normalizer"],
            [outputs[name] for name in self._cross_outputs],
        )
        return Binding(session, io, total_length, output, inputs)


@dataclass(frozen=True)
class Binding:
    """A bound step call; `inputs` keeps the arrays alive that ONNX Runtime points into."""

    session: InferenceSession
    io: onnxruntime.IOBinding
    total_length: Array
    output: StepOutput
    inputs: Mapping[str, Array]


class StepBindings:
    """Bindings of one running batch by its number of live requests, kept because binding costs more than a call."""

    def __init__(self) -> None:
        self._bindings: dict[tuple[int, int, int], Binding] = {}

    def get(self, runner: Runner, slots: Slots, num_live: int, num_candidates: int) -> Binding:
        """The binding for this many live requests, made on first use."""
        words = slots.words
        key = num_live, num_candidates, 0 if words is None else words.size
        if key not in self._bindings:
            self._bindings[key] = runner.bind(slots, num_live, num_candidates)
        return self._bindings[key]


@cache
def _share_arena() -> None:
    """Gives the process one arena for all sessions; else each session keeps one as large as its largest run."""
    kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    memory = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
    onnxruntime.create_and_register_allocator(memory, None)


def load_cuda() -> None:
    """Loads CUDA's libraries from where pip installs them; the system's are found without it."""
    onnxruntime.preload_dlls()


def value_of(array: Array) -> OrtValue:
    """A value that shares an array's memory."""
    return OrtValue.ortvalue_from_numpy(array)


def allocate_on(device: str, shape: Sequence[int], dtype: Any) -> OrtValue:
    """An uninitialized value in a device's memory."""
    return OrtValue.ortvalue_from_shape_and_type(list(shape), dtype, device, 0)


def source_length(manifest: Manifest, source: Array) -> int:
    """Positions of the source axis: tokens of a text, cells of a picture's grid."""
    described = manifest.source
    return source.shape[-1] if isinstance(described, TextSource) else described.num_positions


def encode_inputs(manifest: Manifest, sources: Sequence[Array]) -> dict[str, Array]:
    """Every input that an encode graph may read, by name."""
    if not isinstance(manifest.source, TextSource):
        return {"pixels": np.stack(sources)}
    inputs = _packed(sources)
    if isinstance(manifest.output, PiecesOutput):
        inputs["masked"] = np.flatnonzero(inputs["source_ids"] == manifest.output.mask_id)
    return inputs


def _probe(manifest: Manifest) -> Array:
    """A source that is long enough for all cores: the first piece repeated, or noise."""
    source = manifest.source
    if isinstance(source, TextSource):
        length = min(2 * MIN_POSITIONS_ON_ALL_CORES, manifest.max_source_tokens)
        if isinstance(manifest.output, PiecesOutput):
            return np.full(length, manifest.output.mask_id, np.int64)
        return np.zeros((2, length) if manifest.has_decoder and manifest.target.copies else length, np.int64)
    return np.random.default_rng(0).standard_normal((3, source.height, source.width), np.float32)


def _packed(sources: Sequence[Array]) -> dict[str, Array]:
    """Concatenates sources, with the indexes that map a padded layout to the packed one and back."""
    packed = np.atleast_2d(np.concatenate(sources, axis=-1))
    lengths = np.array([source.shape[-1] for source in sources])
    present = np.arange(lengths.max()) < lengths[:, None]  # [requests, source]
    padded_to_packed = np.zeros(present.shape, np.int64)
    padded_to_packed[present] = np.arange(lengths.sum())
    packed_to_padded = np.flatnonzero(present)
    return {
        "source_ids": packed[0],
        "source_words": packed[-1],  # read by models that copy, whose sources have a second row
        "source_positions": packed_to_padded % present.shape[1],
        "padded_to_packed": padded_to_packed,
        "packed_to_padded": packed_to_padded,
        "source_lengths": lengths.astype(np.int32),
    }


def _signature_faults(session: InferenceSession, graph: GraphSpec) -> list[str]:
    """How a graph's inputs and outputs differ from the manifest's."""
    faults = []
    for kind, actual, stated in (
        ("inputs", session.get_inputs(), graph.inputs),
        ("outputs", session.get_outputs(), graph.outputs),
    ):
        found, named = {x.name for x in actual}, {spec.name for spec in stated}
        if found != named:
            faults.append(f"{kind} {sorted(found ^ named)} are in one of the two only")
    return faults
