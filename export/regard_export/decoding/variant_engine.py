"""Runs a variant of a bundle with the server's own runner, slots and search: what is verified is what serves."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from regard_service.bundle import Bundle, Precision, Variant
from regard_service.engine.runtime.runner import Runner, StepBindings, StepOutput
from regard_service.engine.runtime.slots import Slots, SlotsShape
from regard_service.engine.search.outcome import Hypothesis
from regard_service.engine.search.search import Search, open_search
from regard_service.generation import Generation

from regard.arrays import Array, Float32Array
from regard_export.decoding.low_memory_runner import LowMemoryRunner
from regard_export.errors import ExportError
from regard_export.references.copying import with_equal_copy_ids
from regard_export.references.protocols import Source, TeacherForced, as_array
from regard_export.resources.session_options import num_available_cores

Ids = Sequence[int]

MAX_REQUESTS = 32  # in a batch
NUM_TIMED_STEPS = 24


@dataclass(frozen=True)
class Decoded:
    """The best hypothesis of a request.

    Attributes:
        cross_attention: float32 [layers, heads, target, source].
    """

    hypothesis: Hypothesis
    cross_attention: Float32Array


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

    def encode(self, sources: Sequence[Source]) -> dict[str, Array]:
        """The memory by name, [requests, ...], padded to the longest source."""
        return self._runner.encode([as_array(source) for source in sources])

    def teacher_force(
        self, sources: Sequence[Source], targets: Sequence[Ids], *, num_poisoned_rows: int = 0
    ) -> list[TeacherForced]:
        """Decodes given targets, which begin with the start token, all requests in one batch.

        Args:
            num_poisoned_rows: further rows in the batch, whose memory and state are NaN. The sources' own rows then
                also hold NaN in unwritten state, and large numbers behind their sources.
        """
        slots = self._admit(sources, num_beams=1, capacity=max(map(len, targets)), num_spare_rows=num_poisoned_rows)
        if num_poisoned_rows:
            self._poison(slots, len(sources))
        num_live, bindings = len(sources) + num_poisoned_rows, StepBindings()
        num_candidates = _vocab_size(self._runner, slots)
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

    def decode(self, sources: Sequence[Source], *, num_beams: int, max_new_tokens: int) -> Iterator[Decoded]:
        """As `search`, with default settings."""
        return self.search(sources, Generation(max_new_tokens=max_new_tokens, num_beams=num_beams))

    def search(self, sources: Sequence[Source], generation: Generation) -> Iterator[Decoded]:
        """Decodes freely; yields results in the order of the sources."""
        return self.search_each(sources, [generation] * len(sources))

    def search_each(self, sources: Sequence[Source], generations: Sequence[Generation]) -> Iterator[Decoded]:
        """As `search`, in batches of `MAX_REQUESTS`; the settings may differ in the first forced token."""
        for first in range(0, len(sources), MAX_REQUESTS):
            group = slice(first, first + MAX_REQUESTS)
            settings = generations[group]
            slots = self._admit(sources[group], num_beams=settings[0].num_beams, capacity=settings[0].max_new_tokens)
            yield from _Batch(self._runner, slots, settings).run()

    def step_seconds(self, source: Source, num_requests: int) -> float:
        """Duration of a step with this many requests: the minimum of several, since the machine may be busy."""
        num_steps = min(NUM_TIMED_STEPS, self.manifest.max_target_tokens)
        slots, bindings = self._admit([source] * num_requests, num_beams=1, capacity=num_steps), StepBindings()
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

    def _admit(self, sources: Sequence[Source], *, num_beams: int, capacity: int, num_spare_rows: int = 0) -> Slots:
        """Encodes every source into a row of new slots."""
        bucket = max(map(self._source_length, sources)) + 3  # longer than any source, as on the server
        shape = SlotsShape(len(sources) + num_spare_rows, num_beams, source=bucket, capacity=capacity)
        slots, memory = Slots(self.manifest, shape), self.encode(sources)
        for row, source in enumerate(sources):
            slots.write(row, memory, row, self._source_length(source), self.manifest.target.start_id)
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


class _Batch:
    """Requests that are decoded together; a finished one leaves at once, as in the engine."""

    def __init__(self, runner: Runner, slots: Slots, generations: Sequence[Generation]) -> None:
        self._runner = runner
        self._slots = slots
        self._num_requests = num_requests = len(generations)
        self._search = _open_search(runner, slots)
        for row, generation in enumerate(generations):
            self._search.admit(row, generation)
        self._requests = list(range(num_requests))  # by live row
        self._maps: list[list[Float32Array]] = [[] for _ in range(num_requests)]
        self._results: dict[int, Decoded] = {}

    def run(self) -> list[Decoded]:
        """The best hypothesis of every request, in their order."""
        bindings = StepBindings()
        while self._requests:
            num_live = len(self._requests)
            output = self._runner.step(self._slots, num_live, self._search.num_candidates(num_live), bindings)
            self._store_maps(output)
            advance = self._search.advance(
                num_live, output.candidate_logits, output.candidate_ids, output.log_normalizer
            )
            self._slots.advance(advance.tokens, advance.parents, moved=advance.moved)
            for row in reversed(np.flatnonzero(advance.finished).tolist()):
                self._evict(row)
        return [self._results[request] for request in range(self._num_requests)]

    def _store_maps(self, output: StepOutput) -> None:
        stacked = np.stack(output.cross_attention)  # [layers, requests, heads, beams, source]
        for row, request in enumerate(self._requests):
            self._maps[request].append(stacked[:, row, :, :, : self._slots.source_lengths[row]])

    def _evict(self, row: int) -> None:
        """Stores a request's result; the last live row moves into its place."""
        best, request = self._search.hypotheses(row)[0], self._requests[row]
        path = [self._maps[request][t][:, :, beam] for t, beam in enumerate(best.path)]
        self._results[request] = Decoded(best, np.stack(path, axis=2))
        last = len(self._requests) - 1
        if row != last:
            self._slots.move(last, row)
            self._search.move(last, row)
            self._requests[row] = self._requests[last]
        self._requests.pop()


def _open_search(runner: Runner, slots: Slots) -> Search:
    target = runner.manifest.target
    return open_search(
        slots.shape.num_beams,
        max_requests=slots.shape.max_requests,
        max_target_tokens=slots.shape.capacity,
        vocab_size=_vocab_size(runner, slots),
        start_id=target.start_id,
        end_ids=target.end_ids,
    )


def _vocab_size(runner: Runner, slots: Slots) -> int:
    """Number of candidates that a step can propose."""
    target = runner.manifest.target
    return target.vocab_size + (slots.shape.source if target.copies else 0)


def _write_step(result: TeacherForced, t: int, output: StepOutput, row: int) -> None:
    """Writes a row of a step's output at position t; the candidates are all tokens, here in the vocabulary's order."""
    result.logits[t, output.candidate_ids[row]] = output.candidate_logits[row]
    result.log_normalizer[t] = output.log_normalizer[row]
    for layer, weights in enumerate(output.cross_attention):
        result.cross_attention[layer, :, t] = weights[row, :, 0, : result.cross_attention.shape[-1]]
