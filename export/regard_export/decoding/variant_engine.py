"""Runs a variant of a bundle with the server's runner and core, so that verification covers the code that serves."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from regard.arrays import Array, Float32Array, Int64Array
from regard_export.decoding.low_memory_runner import LowMemoryRunner
from regard_export.errors import ExportError
from regard_export.references.copying import with_equal_copy_ids
from regard_export.references.protocols import Source, TeacherForced, as_array
from regard_export.resources.session_options import num_available_cores
from regard_service.bundle import Bundle, Precision, Variant
from regard_service.confidence.sources import source_share
from regard_service.engine.core.decode import SPARE_POSITIONS, decode
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.core.result import EngineHypothesis, EngineResult
from regard_service.engine.runtime.runner import Runner, StepBindings, StepOutput
from regard_service.engine.runtime.slots import Slots, SlotsShape
from regard_service.generation import Generation

Ids = Sequence[int]

NUM_TIMED_STEPS = 24


class VariantEngine:
    """The engine with one variant of a bundle, on the CPU.

    Args:
        is_low_memory: use little memory and more time, for a variant that is not served.
        num_threads: of a low-memory engine; None for all cores. Otherwise the engine has one thread, as the server's.

    Raises:
        ExportError: the server could not load the variant.
    """

    def __init__(
        self, bundle: Bundle, precision: Precision, *, is_low_memory: bool = False, num_threads: int | None = None
    ) -> None:
        self.variant: Variant = next(v for v in bundle.manifest.variants if v.precision == precision)
        try:
            self._runner = (
                LowMemoryRunner(bundle, self.variant, num_threads or num_available_cores())
                if is_low_memory
                else Runner(bundle, self.variant)
            )
        except MemoryError:
            raise
        except Exception as error:  # a graph that cannot be loaded, or contradicts the manifest
            raise ExportError(str(error)) from error
        self.manifest = self._runner.manifest
        self.has_shortlist = self._runner.has_shortlist

    def allowed_words(self, source: Source) -> Int64Array:
        """The words that the shortlist allows for a source, int64 [words]."""
        return self._runner.allowed_words(as_array(source))

    def encode(self, sources: Sequence[Source]) -> dict[str, Array]:
        """The memory by name, [requests, ...], padded to the longest source."""
        return self._runner.encode([as_array(source) for source in sources])

    def search(
        self, sources: Sequence[Source], generation: Generation, *, attention: bool = True, is_listed: bool = False
    ) -> Iterator[EngineHypothesis]:
        """Decodes freely in the engine's core; yields the best hypotheses in the order of the sources.

        Args:
            attention: whether the hypotheses have their cross-attention.
            is_listed: whether steps choose among the words of the shortlist.
        """
        return self.search_each(sources, [generation] * len(sources), attention=attention, is_listed=is_listed)

    def search_each(
        self,
        sources: Sequence[Source],
        generations: Sequence[Generation],
        *,
        attention: bool = True,
        is_listed: bool = False,
    ) -> Iterator[EngineHypothesis]:
        """As `search`, with settings for each source; all have the same number of beams."""
        results = self.results(sources, generations, attention=attention, is_listed=is_listed)
        return (result.hypotheses[0] for result in results)

    def results(
        self, sources: Sequence[Source], generations: Sequence[Generation], *, attention: bool, is_listed: bool
    ) -> Iterator[EngineResult]:
        """As `search_each`; yields what the engine answers."""
        pairs = zip(sources, generations, strict=True)
        requests = [
            EngineRequest(as_array(source), generation, attention, is_listed=is_listed) for source, generation in pairs
        ]
        return iter(decode(self._runner, requests))

    def teacher_force(
        self, sources: Sequence[Source], targets: Sequence[Ids], *, num_poisoned_rows: int = 0
    ) -> list[TeacherForced]:
        """Decodes given targets, which begin with the start token, all requests in one batch.

        Args:
            num_poisoned_rows: further rows in the batch, whose memory and state are NaN. The sources' own rows then
                also hold NaN in unwritten state, and large numbers behind their sources.
        """
        slots = self._admit(sources, capacity=max(map(len, targets)), num_spare_rows=num_poisoned_rows)
        if num_poisoned_rows:
            self._poison(slots, len(sources))
        num_live, bindings = len(sources) + num_poisoned_rows, StepBindings()
        num_candidates = self._num_candidates(slots)
        results = [
            self._empty(len(target), self._source_length(source), num_candidates)
            for source, target in zip(sources, targets, strict=True)
        ]
        for t in range(max(map(len, targets))):
            slots.tokens[: len(sources)] = [target[min(t, len(target) - 1)] for target in targets]
            output = self._runner.step(slots, num_live, num_candidates, bindings)
            for row, (result, target) in enumerate(zip(results, targets, strict=True)):
                if t < len(target):
                    _write_step(result, t, output, row)
            slots.advance(slots.tokens[:num_live].copy(), np.arange(num_live), moved=False)
        return [
            replace(result, logits=self._comparable_logits(result.logits, source))
            for result, source in zip(results, sources, strict=True)
        ]

    def score(self, source: Source, target: Int64Array, num_forced: int = 0) -> Float32Array:
        """The log-probabilities of a given output, through the trace graph: float32 [target]; forced tokens have 0."""
        read = np.concatenate([[self.manifest.target.start_id], target[:-1]])
        logprobs = self._runner.trace(as_array(source), read, labels=target).logprobs
        if logprobs is None:
            raise ValueError("the trace graph outputs no log-probabilities")
        return np.concatenate([np.zeros(num_forced, np.float32), logprobs[num_forced:]])

    def source_share(self, source: Source, target: Int64Array) -> float | None:
        """The mean share of an output that comes from the source, by contributions; None for models without them."""
        if not all(self.manifest.has_contributions(side) for side in ("encoder", "decoder", "cross")):
            return None
        read = np.concatenate([[self.manifest.target.start_id], target[:-1]])
        trace = self._runner.trace(as_array(source), read, has_contributions=True)
        return float(source_share(trace).mean())

    def _empty(self, num_tokens: int, source_length: int, num_candidates: int) -> TeacherForced:
        """Arrays that the steps write into, so that a large vocabulary's logits are in memory only once."""
        layout = self.manifest.attention
        return TeacherForced(
            np.empty((num_tokens, num_candidates), np.float32),
            np.empty(num_tokens, np.float32),
            np.empty((layout.layers, layout.heads, num_tokens, source_length), np.float32),
        )

    def _comparable_logits(self, logits: Float32Array, source: Source) -> Float32Array:
        """Drops copies from behind the source, and equalizes the ids of copied words.

        Args:
            logits: float32 [target, candidates].
        """
        target = self.manifest.target
        if not target.copies:
            return logits
        return with_equal_copy_ids(logits[:, : target.vocab_size + self._source_length(source)], source, target)

    def step_seconds(self, source: Source, num_requests: int) -> float:
        """Duration of a step with this many requests: the minimum of several, since the machine may be busy."""
        num_steps = min(NUM_TIMED_STEPS, self.manifest.max_target_tokens)
        slots, bindings = self._admit([source] * num_requests, capacity=num_steps), StepBindings()
        seconds = []
        for _ in range(num_steps):
            started = time.perf_counter()
            self._runner.step(slots, num_requests, 1, bindings)
            seconds.append(time.perf_counter() - started)
            slots.advance(slots.tokens[:num_requests].copy(), np.arange(num_requests), moved=False)
        return min(seconds)

    def _source_length(self, source: Source) -> int:
        """Positions on the source axis."""
        return self._runner.source_length(as_array(source))

    def _admit(self, sources: Sequence[Source], *, capacity: int, num_spare_rows: int = 0) -> Slots:
        """Encodes every source into a row of new slots, a slot per row."""
        bucket = max(map(self._source_length, sources)) + SPARE_POSITIONS
        shape = SlotsShape(len(sources) + num_spare_rows, num_beams=1, source=bucket, capacity=capacity)
        slots, memory = self._runner.open_slots(shape), self.encode(sources)
        lengths = [self._source_length(source) for source in sources]
        slots.write(range(len(lengths)), memory, lengths, self.manifest.target.start_id)
        return slots

    def _poison(self, slots: Slots, num_rows: int) -> None:
        """Fills everything that the first rows must not read."""
        slots.source_lengths[num_rows:] = slots.shape.source
        for state in self.manifest.state:
            first = 0 if state.in_place else num_rows * slots.shape.num_beams
            slots.state[state.input.name][first:] = np.nan
        for spec in self.manifest.memory:
            memory = slots.memory[spec.name]
            memory[num_rows:] = np.nan if memory.dtype == np.float32 else -1000
            for row in range(num_rows if "source" in spec.shape else 0):
                behind = np.moveaxis(memory[row], spec.shape.index("source") - 1, 0)[slots.source_lengths[row] :]
                behind[...] = 1000  # the contract guarantees finite numbers here

    def _num_candidates(self, slots: Slots) -> int:
        """All candidates of a step: the vocabulary and, for a model that copies, the source's positions."""
        target = self.manifest.target
        return target.vocab_size + (slots.shape.source if target.copies else 0)


def attention_of(hypothesis: EngineHypothesis) -> Float32Array:
    """A hypothesis' cross-attention, float32 [layers, heads, target, source].

    Raises:
        ValueError: the search did not keep it.
    """
    if hypothesis.cross_attention is None:
        raise ValueError("the search kept no attention")
    return hypothesis.cross_attention


def _write_step(result: TeacherForced, t: int, output: StepOutput, row: int) -> None:
    """Writes a row of a step's output at position t; the candidates are all tokens, here in the vocabulary's order."""
    result.logits[t, output.candidate_ids[row]] = output.candidate_logits[row]
    result.log_normalizer[t] = output.log_normalizer[row]
    for layer, weights in enumerate(output.cross_attention):
        result.cross_attention[layer, :, t] = weights[row, :, 0, : result.cross_attention.shape[-1]]
