"""Drives a bundle's graphs with the server's own runner, slots and search: what is verified is what serves."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from onnxruntime import SessionOptions
from regard_service.bundle import Bundle, Precision, Variant
from regard_service.engine.runtime.runner import Runner, StepBindings, StepOutput
from regard_service.engine.runtime.slots import Slots, SlotsShape
from regard_service.engine.search.outcome import Hypothesis
from regard_service.engine.search.search import Search, open_search
from regard_service.generation import Generation

from regard.arrays import Array, Float32Array
from regard_export.errors import ExportError
from regard_export.references.copying import both_ids
from regard_export.references.reference import Forced, Source
from regard_export.resources.memory import give_memory_back
from regard_export.resources.session_options import num_cores, save_memory, use_threads

Ids = Sequence[int]

MAX_REQUESTS = 32  # side by side
NUM_TIMED_STEPS = 24
STEPS_A_PAUSE = 16


@dataclass(frozen=True)
class Decoded:
    """The best hypothesis of a request; `cross_attention` is float32 [layers, heads, target, source]."""

    hypothesis: Hypothesis
    cross_attention: Float32Array


class MappedRunner(Runner):
    """Leaves weights in their file, which is mapped, instead of copying them into the order that products like best.

    What is in memory of them is given back before and after each encode, and from step to step now and then.
    """

    def __init__(self, bundle: Bundle, variant: Variant, num_threads: int) -> None:
        self._num_threads, self._num_steps = num_threads, 0
        super().__init__(bundle, variant)

    def _options(self) -> SessionOptions:
        options = super()._options()
        save_memory(options)
        use_threads(options, self._num_threads)
        return options

    def encode(self, sources: Sequence[Array]) -> dict[str, Array]:
        give_memory_back()
        memory = super().encode(sources)
        give_memory_back()
        return memory

    def step(self, slots: Slots, num_live: int, num_candidates: int, bindings: StepBindings) -> StepOutput:
        self._num_steps += 1
        if self._num_steps % STEPS_A_PAUSE == 0:
            give_memory_back()
        return super().step(slots, num_live, num_candidates, bindings)


class ServingGraphs:
    """One precision of a bundle, on the CPU.

    Args:
        mapped: take little memory and more time, for graphs that nobody will serve.
        num_threads: of those; all cores, if None. What is served has one, as on the server.

    Raises:
        ExportError: the server could not load them.
    """

    def __init__(
        self, bundle: Bundle, precision: Precision, *, mapped: bool = False, num_threads: int | None = None
    ) -> None:
        self.variant: Variant = next(v for v in bundle.manifest.variants if v.precision == precision)
        try:
            self._runner = (
                MappedRunner(bundle, self.variant, num_threads or num_cores())
                if mapped
                else Runner(bundle, self.variant)
            )
        except MemoryError:
            raise
        except Exception as error:  # the server's own: a graph that cannot be loaded, or is not what the manifest says
            raise ExportError(str(error)) from error
        self.manifest = self._runner.manifest

    def encode(self, sources: Sequence[Source]) -> dict[str, Array]:
        """The memory by name, [requests, ...], padded to the longest source."""
        return self._runner.encode([_array(source) for source in sources])

    def force(self, sources: Sequence[Source], targets: Sequence[Ids], *, hostile_neighbours: int = 0) -> list[Forced]:
        """Decodes given targets, which begin with the start token, all requests in one batch.

        Args:
            hostile_neighbours: further rows in the batch, whose memory and state are NaN; the sources' own rows then
                hold NaN in what they have not written and garbage behind their sources.
        """
        slots = self._admit(sources, num_beams=1, capacity=max(map(len, targets)), spare=hostile_neighbours)
        if hostile_neighbours:
            self._poison(slots, len(sources))
        num_live, bindings = len(sources) + hostile_neighbours, StepBindings()
        num_candidates = _vocab_size(self._runner, slots)
        results = [
            self._empty(len(target), self._length(source), num_candidates)
            for source, target in zip(sources, targets, strict=True)
        ]
        for t in range(max(map(len, targets))):
            slots.tokens[: len(sources)] = [target[min(t, len(target) - 1)] for target in targets]
            output = self._runner.step(slots, num_live, num_candidates, bindings)
            for row, (result, target) in enumerate(zip(results, targets, strict=True)):
                if t < len(target):
                    _fill(result, t, output, row)
            slots.advance(slots.tokens[:num_live].copy(), np.arange(num_live), moved=False)
        return [
            replace(result, logits=self._logits(result.logits, source))
            for result, source in zip(results, sources, strict=True)
        ]

    def _empty(self, num_tokens: int, source: int, num_candidates: int) -> Forced:
        """What a target's steps are written into: all logits of a large vocabulary are in memory once."""
        layout = self.manifest.attention
        return Forced(
            np.empty((num_tokens, num_candidates), np.float32),
            np.empty(num_tokens, np.float32),
            np.empty((layout.layers, layout.heads, num_tokens, source), np.float32),
        )

    def _logits(self, logits: Float32Array, source: Source) -> Float32Array:
        """Without the copies of what is behind the source; logits: float32 [target, candidates]."""
        target = self.manifest.target
        if not target.copies:
            return logits
        return both_ids(logits[:, : target.vocab_size + self._length(source)], source, target)

    def decode(self, sources: Sequence[Source], *, num_beams: int, max_new_tokens: int) -> Iterator[Decoded]:
        """Decodes freely, as `search` does; every other setting is plain."""
        return self.search(sources, Generation(max_new_tokens=max_new_tokens, num_beams=num_beams))

    def search(self, sources: Sequence[Source], generation: Generation) -> Iterator[Decoded]:
        """Decodes freely; yields results in the sources' order."""
        return self.search_each(sources, [generation] * len(sources))

    def search_each(self, sources: Sequence[Source], generations: Sequence[Generation]) -> Iterator[Decoded]:
        """The same, `MAX_REQUESTS` side by side, where the first token that is forced may be another each time."""
        for first in range(0, len(sources), MAX_REQUESTS):
            group = slice(first, first + MAX_REQUESTS)
            wanted = generations[group]
            slots = self._admit(sources[group], num_beams=wanted[0].num_beams, capacity=wanted[0].max_new_tokens)
            yield from _Batch(self._runner, slots, wanted).run()

    def step_seconds(self, source: Source, num_requests: int) -> float:
        """How long a step of so many requests takes, the best of some: others may be at work on this machine."""
        num_steps = min(NUM_TIMED_STEPS, self.manifest.max_target_tokens)
        slots, bindings = self._admit([source] * num_requests, num_beams=1, capacity=num_steps), StepBindings()
        seconds = []
        for _ in range(num_steps):
            started = time.perf_counter()
            self._runner.step(slots, num_requests, 1, bindings)
            seconds.append(time.perf_counter() - started)
            slots.advance(slots.tokens[:num_requests].copy(), np.arange(num_requests), moved=False)
        return min(seconds)

    def _length(self, source: Source) -> int:
        """Positions of the source axis."""
        return self._runner.source_length(_array(source))

    def _admit(self, sources: Sequence[Source], *, num_beams: int, capacity: int, spare: int = 0) -> Slots:
        """Slots with every source in a row of its own, and `spare` more rows."""
        bucket = max(map(self._length, sources)) + 3  # longer than any source, as on the server
        shape = SlotsShape(len(sources) + spare, num_beams, source=bucket, capacity=capacity)
        slots, memory = Slots(self.manifest, shape), self.encode(sources)
        for row, source in enumerate(sources):
            slots.write(row, memory, row, self._length(source), self.manifest.target.start_id)
        return slots

    def _poison(self, slots: Slots, num_rows: int) -> None:
        """Fills all that the first rows must not read."""
        slots.source_lengths[num_rows:] = slots.shape.source
        for state in self.manifest.state:
            first = 0 if state.in_place else num_rows * slots.shape.num_beams
            slots.state[state.input.name][first:] = np.nan
        for spec in self.manifest.memory:
            memory = slots.memory[spec.name]
            memory[num_rows:] = np.nan if memory.dtype == np.float32 else -1000
            for row in range(num_rows if "source" in spec.shape else 0):
                behind = np.moveaxis(memory[row], spec.shape.index("source") - 1, 0)[slots.source_lengths[row] :]
                behind[...] = 1000  # finite, by the contract


class _Batch:
    """Requests that are decoded side by side; a finished one leaves at once, as in the engine."""

    def __init__(self, runner: Runner, slots: Slots, generations: Sequence[Generation]) -> None:
        self._runner = runner
        self._slots = slots
        self._num_requests = num_requests = len(generations)
        self._search = _search(runner, slots)
        for row, generation in enumerate(generations):
            self._search.admit(row, generation)
        self._requests = list(range(num_requests))  # by live row
        self._maps: list[list[Float32Array]] = [[] for _ in range(num_requests)]
        self._results: dict[int, Decoded] = {}

    def run(self) -> list[Decoded]:
        """The best hypothesis of every source, in the sources' order."""
        bindings = StepBindings()
        while self._requests:
            num_live = len(self._requests)
            output = self._runner.step(self._slots, num_live, self._search.num_candidates(num_live), bindings)
            self._keep_maps(output)
            advance = self._search.advance(
                num_live, output.candidate_logits, output.candidate_ids, output.log_normalizer
            )
            self._slots.advance(advance.tokens, advance.parents, moved=advance.moved)
            for row in reversed(np.flatnonzero(advance.finished).tolist()):
                self._finish(row)
        return [self._results[request] for request in range(self._num_requests)]

    def _keep_maps(self, output: StepOutput) -> None:
        stacked = np.stack(output.cross_attention)  # [layers, requests, heads, beams, source]
        for row, request in enumerate(self._requests):
            self._maps[request].append(stacked[:, row, :, :, : self._slots.source_lengths[row]])

    def _finish(self, row: int) -> None:
        """Takes a request's result; the last live row moves into its place."""
        best, request = self._search.hypotheses(row)[0], self._requests[row]
        path = [self._maps[request][t][:, :, beam] for t, beam in enumerate(best.path)]
        self._results[request] = Decoded(best, np.stack(path, axis=2))
        last = len(self._requests) - 1
        if row != last:
            self._slots.move(last, row)
            self._search.move(last, row)
            self._requests[row] = self._requests[last]
        self._requests.pop()


def _array(source: Source) -> Array:
    return source if isinstance(source, np.ndarray) else np.array(source, np.int64)


def _search(runner: Runner, slots: Slots) -> Search:
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
    """All that a step can propose."""
    target = runner.manifest.target
    return target.vocab_size + (slots.shape.source if target.copies else 0)


def _fill(result: Forced, t: int, output: StepOutput, row: int) -> None:
    """Copies a row of a step: candidates that are the whole vocabulary, put in its order."""
    result.logits[t, output.candidate_ids[row]] = output.candidate_logits[row]
    result.log_normalizer[t] = output.log_normalizer[row]
    for layer, weights in enumerate(output.cross_attention):
        result.cross_attention[layer, :, t] = weights[row, :, 0, : result.cross_attention.shape[-1]]
