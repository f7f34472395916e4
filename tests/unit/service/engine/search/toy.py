"""A model without weights, and the engine's loop around a search, for tests."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from regard.arrays import Float32Array, Int64Array
from regard_service.engine.search.outcome import Advance, Hypothesis, Prefix
from regard_service.engine.search.search import Search, open_search
from regard_service.engine.search.terms import Guidance
from regard_service.generation import Generation

VOCAB_SIZE = 12
START_ID = 0
END_ID = 1
MAX_TARGET_TOKENS = 12
NUM_POSITIONS = 6  # of a source


@dataclass(frozen=True)
class Job:
    """A request: its source (any number), its options, and after how many steps of the batch it joins."""

    source: int
    generation: Generation
    joins: int = 0


def toy_logits(source: int, prefix: Sequence[int]) -> Float32Array:
    """A fixed random function of source and prefix: float32 [vocab]."""
    seed = zlib.crc32(np.array([source, *prefix], np.int64).tobytes())
    return np.random.default_rng(seed).normal(scale=2.0, size=VOCAB_SIZE).astype(np.float32)


def toy_weights(source: int, prefix: Sequence[int]) -> Float32Array:
    """A fixed random alignment, mostly of one position: float32 [NUM_POSITIONS]."""
    generator = np.random.default_rng(zlib.crc32(np.array([source, 7, *prefix], np.int64).tobytes()))
    return generator.dirichlet(np.full(NUM_POSITIONS, 0.3)).astype(np.float32)


@dataclass
class Row:
    """A request in the batch, as the engine sees it.

    Attributes:
        states: what each slot has read, start token excluded; stands for its cache.
        seen: `states` at each step so far, by beam; stands for the recorded attention.
        commitments: what was certain after each step.
    """

    name: int
    job: Job
    states: list[tuple[int, ...]]
    seen: list[list[tuple[int, ...]]] = field(default_factory=list)
    commitments: list[Prefix] = field(default_factory=list)


@dataclass(frozen=True)
class Served:
    """A finished request: its result and what the engine saw on the way."""

    hypotheses: list[Hypothesis]
    seen: list[list[tuple[int, ...]]]
    commitments: list[Prefix]


class ToyEngine:
    """Serves jobs in one running batch.

    Args:
        all_candidates: hands the search the whole vocabulary, instead of what it asks for.
        advances: all steps' outcomes, in order.
    """

    def __init__(
        self, num_beams: int, max_requests: int, all_candidates: bool = False, guidance: Guidance | None = None
    ) -> None:
        self.search: Search = open_search(
            num_beams,
            max_requests=max_requests,
            max_target_tokens=MAX_TARGET_TOKENS,
            vocab_size=VOCAB_SIZE,
            start_id=START_ID,
            end_ids=(END_ID,),
            guidance=guidance,
        )
        self.advances: list[Advance] = []
        self._all_candidates = all_candidates
        self._live: list[Row] = []
        self._served: dict[int, Served] = {}

    def run(self, jobs: Sequence[Job]) -> list[Served]:
        """Serves all jobs; results in their order."""
        waiting = sorted(enumerate(jobs), key=lambda numbered: numbered[1].joins)
        step = 0
        while waiting or self._live:
            while waiting and waiting[0][1].joins <= step:
                name, job = waiting.pop(0)
                self.search.admit(len(self._live), job.generation)
                self._live.append(Row(name, job, [()] * self.search.num_beams))
            if self._live:
                self._step()
            step += 1
        return [self._served[name] for name in range(len(jobs))]

    def _step(self) -> None:
        guided = self.search.guided(len(self._live))
        weights = np.array([[toy_weights(self._live[r].job.source, s) for s in self._live[r].states] for r in guided])
        advance = self.search.advance(len(self._live), *self._candidates(), weights if guided else None)
        taken_back = np.zeros(len(self._live) * self.search.num_beams, int)
        if advance.taken_back is not None:
            taken_back = advance.taken_back
        self.advances.append(advance)
        states = [state for row in self._live for state in row.states]
        num_beams = self.search.num_beams
        for index, row in enumerate(self._live):
            row.seen.append(row.states)
            slots = range(index * num_beams, (index + 1) * num_beams)
            kept = len(row.states[0]) - int(taken_back[slots[0]])
            row.states = [(*states[advance.parents[slot]][:kept], int(advance.tokens[slot])) for slot in slots]
            del row.seen[kept + 1 :]
            row.commitments.append(self.search.committed(index))
        for index in reversed(np.flatnonzero(advance.finished).tolist()):
            self._evict(index)

    def _evict(self, index: int) -> None:
        row = self._live[index]
        self._served[row.name] = Served(self.search.hypotheses(index), row.seen, row.commitments)
        last = self._live.pop()
        if index < len(self._live):
            self.search.move(len(self._live), index)
            self._live[index] = last

    def _candidates(self) -> tuple[Float32Array, Int64Array, Float32Array]:
        """What a step graph returns: logits and ids [slots, candidates], normalizers [slots]."""
        logits = np.stack([toy_logits(row.job.source, state) for row in self._live for state in row.states])
        count = VOCAB_SIZE if self._all_candidates else self.search.num_candidates(len(self._live))
        ids = np.argsort(-logits, axis=1, kind="stable")[:, :count]
        normalizer = np.log(np.exp(logits.astype(np.float64)).sum(axis=1)).astype(np.float32)
        return np.take_along_axis(logits, ids, axis=1), ids, normalizer


def serve(job: Job, all_candidates: bool = False, guidance: Guidance | None = None) -> Served:
    """Serves one job alone."""
    [served] = ToyEngine(job.generation.num_beams, 1, all_candidates, guidance).run([job])
    return served
