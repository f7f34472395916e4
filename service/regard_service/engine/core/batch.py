"""The core of the engine: requests of one model, one source-length bucket and one beam width, stepped together.

It is synchronous: requests in, `step()`, updates out. It knows no thread, no event loop and no queue; the server's
workers, the warm-up and the export's verification and calibration all drive it.

    batch = RunningBatch(runner, shape)
    batch.join(batch.encode(requests))
    while batch.num_live:
        for update in (*batch.evict(), *batch.step()):
            ...  # passed deadlines; tokens and results
"""

import math
import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from regard.arrays import BoolArray, Float32Array, Int64Array
from regard_service.engine.core.map_history import MapHistory
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.request import STEPS_BETWEEN_TIMES, RequestState
from regard_service.engine.core.result import CommittedToken, EngineHypothesis, EngineResult, RequestUpdate
from regard_service.engine.core.rows import ContinueStepping, Encoded, Rows, step_once
from regard_service.engine.runtime.runner import Runner, StepBindings, StepOutput
from regard_service.engine.runtime.slots import SlotsShape, max_taken_back
from regard_service.engine.search.search import open_search
from regard_service.engine.search.single import SingleSearch
from regard_service.engine.search.terms import Guidance


class RunningBatch(Rows):
    """Requests of a model that writes text. Live ones are rows 0 to n - 1 of every buffer.

    A row has `num_beams` *slots*, one a hypothesis.
    """

    def __init__(self, runner: Runner, shape: SlotsShape, observer: EngineObserver | None = None) -> None:
        super().__init__(runner, shape, observer)
        self._slots = runner.open_slots(shape)
        self._bindings = StepBindings()
        self._maps: MapHistory | None = None  # until a request keeps attention
        target = runner.manifest.target
        self._search = open_search(
            shape.num_beams,
            max_requests=shape.max_requests,
            max_target_tokens=shape.capacity,
            vocab_size=target.vocab_size + (shape.source if target.copies else 0),
            start_id=target.start_id,
            end_ids=target.end_ids,
            guidance=Guidance(runner.manifest.attention.alignment_shifted, max_taken_back(runner.manifest)),
        )

    @property
    def encoded_bytes(self) -> int:
        """Size of the buffers for encoded sources (the cross KV cache)."""
        return self._slots.encoded_bytes

    @property
    def state_bytes(self) -> int:
        """Size of the buffers that steps carry on (the self KV cache)."""
        return self._slots.state_bytes

    @property
    def map_bytes(self) -> int:
        """Size of the buffers for attention maps."""
        return 0 if self._maps is None else self._maps.num_bytes

    def join(self, encoded: Encoded) -> None:
        """Gives each of these requests a row: a free one, or else the next."""
        manifest = self.runner.manifest
        num_source = [self.runner.source_length(request.request.source) for request in encoded.requests]
        free = [row for row, request in enumerate(self._rows) if request is None]
        num_new = max(0, len(num_source) - len(free))
        rows = [*free, *range(len(self._rows), len(self._rows) + num_new)][: len(num_source)]
        self._slots.write(rows, encoded.memory, num_source, manifest.target.start_id)
        if self._slots.words is not None:
            live = [row for row, request in enumerate(self._rows) if request is not None]
            asked = [each.request for each in encoded.requests]
            lists = [self.runner.allowed_words(each.source, each.generation.forced_words) for each in asked]
            self._slots.words.write(dict(zip(rows, lists, strict=True)), live)
        self._rows += [None] * num_new
        for row, request, length in zip(rows, encoded.requests, num_source, strict=True):
            self._search.admit(row, request.request.generation)
            self._rows[row] = request
            self.observer.admitted(manifest.name, request.admitted - request.submitted, length)

    def step(self, continue_stepping: ContinueStepping = step_once) -> list[RequestUpdate]:
        """Runs one decoder position for every live request, or several where each row takes its best candidate.

        Args:
            continue_stepping: decides after each position whether another one follows; rows that end meanwhile stay
                until the call returns.

        Returns:
            tokens for streams, and results.
        """
        self._close_gaps()
        requests = self.requests
        if not requests:
            return []
        try:
            search = self._search
            if isinstance(search, SingleSearch) and (most := search.num_steps_ahead(len(requests))):
                finished = self._step_ahead(search, requests, most, continue_stepping)
            else:
                finished = self._step_once(requests)
            updates = list(self._committed(requests))
            updates += self._evict_finished(requests, np.flatnonzero(finished).tolist())
        except BaseException:
            self._rows[:] = requests  # no update of this call reaches anybody, so none of them has left
            raise
        return updates

    def _step_once(self, requests: list[RequestState]) -> BoolArray:
        """Runs one position and searches. Returns which rows are finished."""
        started, num_live = time.monotonic(), len(requests)
        output = self.runner.step(self._slots, num_live, self._search.num_candidates(num_live), self._bindings)
        self._keep_maps(requests, output)
        guided = self._search.guided(num_live)
        weights = self._alignment(output, guided) if guided else None
        advance = self._search.advance(
            num_live, output.candidate_logits, output.candidate_ids, output.log_normalizer, weights
        )
        taken_back = advance.taken_back
        self._slots.advance(advance.tokens, advance.parents, moved=advance.moved, taken_back=taken_back)
        self._count_steps(requests, [1] * num_live, [started, time.monotonic()])
        if taken_back is not None:
            for request, count in zip(requests, taken_back[:: self.shape.num_beams].tolist(), strict=True):
                request.num_tokens -= count
        return advance.finished

    def _alignment(self, output: StepOutput, rows: list[int]) -> Float32Array:
        """A step's weights over the sources of some rows, averaged over the alignment heads: [rows, beams, source]."""
        chosen, heads = np.array(rows), self.runner.manifest.attention.alignment_heads
        layers = {layer: output.cross_attention[layer][chosen] for layer, _ in heads}
        mean: Float32Array = np.mean([layers[layer][:, head] for layer, head in heads], axis=0)
        return mean

    def _step_ahead(
        self, search: SingleSearch, requests: list[RequestState], most: int, continue_stepping: ContinueStepping
    ) -> BoolArray:
        """Runs at least one and at most `most` positions, taking best candidates; searches once, after the last.

        Returns which rows are finished.
        """
        num_live = len(requests)
        parents, ended = np.arange(num_live), np.zeros(num_live, np.bool_)
        deadline = min((r.request.deadline for r in requests if r.request.deadline is not None), default=math.inf)
        tokens: list[Int64Array] = []
        logprobs: list[Float32Array] = []
        times = [time.monotonic()]
        while True:
            output = self.runner.step(self._slots, num_live, 1, self._bindings)
            self._keep_maps(requests, output, len(tokens))
            tokens.append(output.candidate_ids[:, 0].copy())
            logprobs.append(output.candidate_logits[:, 0] - output.log_normalizer)
            self._slots.advance(tokens[-1], parents, moved=False)
            ended |= search.ends(tokens[-1])
            times.append(time.monotonic())
            is_last = len(tokens) == most or ended.all() or times[-1] > deadline
            if is_last or any(r.has_left for r in requests) or not continue_stepping(int(ended.sum())):
                break
        taken = search.take(np.stack(tokens), np.stack(logprobs))
        self._count_steps(requests, taken.num_steps.tolist(), times)
        return taken.finished

    def _keep_maps(self, requests: list[RequestState], output: StepOutput, num_ahead: int = 0) -> None:
        """Copies a step's maps for the requests that keep attention; `num_ahead` steps are not counted yet."""
        rows = [row for row, request in enumerate(requests) if request.request.attention]
        if not rows:
            return
        if self._maps is None:
            layout = self.runner.manifest.attention
            self._maps = MapHistory(self.shape, layout.layers, layout.heads)
        steps = [requests[row].num_tokens + num_ahead for row in rows]
        self._maps.keep(np.array(rows), np.array(steps), output.cross_attention)

    def _count_steps(self, requests: list[RequestState], num_steps: list[int], times: list[float]) -> None:
        """Counts each request's steps; `times` holds the start of the first position and the end of each."""
        name = self.runner.manifest.name
        self.num_steps += len(times) - 1
        for began, ended in pairwise(times):
            self.observer.stepped(name, len(requests) * self.shape.num_beams, ended - began)
        for request, num_made in zip(requests, num_steps, strict=True):
            if not request.num_steps:
                self.observer.first_token(name, times[1] - request.submitted)
            if request.step_times is not None:
                counted = zip(range(request.num_steps + 1, request.num_steps + num_made + 1), times[1:], strict=False)
                request.step_times += [each for each in counted if each[0] % STEPS_BETWEEN_TIMES == 1]
            request.num_steps += num_made
            request.num_tokens += num_made

    def _committed(self, requests: list[RequestState]) -> Iterator[RequestUpdate]:
        """Yields, for each stream, the tokens that became certain."""
        for row, request in enumerate(requests):
            if not request.is_streamed:
                continue
            prefix = self._search.committed(row, request.num_committed)
            if not len(prefix.tokens):
                continue
            maps = self._followed(row, request, prefix.path, request.num_committed)
            rows = [None] * len(prefix.tokens) if maps is None else np.moveaxis(maps, 2, 0)
            choices = zip(prefix.tokens.tolist(), prefix.logprobs.tolist(), rows, strict=True)
            request.num_committed += len(prefix.tokens)
            yield RequestUpdate(request, [CommittedToken(*choice) for choice in choices])

    def _evict_finished(self, requests: list[RequestState], rows: list[int]) -> Iterator[RequestUpdate]:
        for row in rows:
            request = requests[row]
            result = self._result(row, request)
            self._rows[row] = None
            self.observer.finished(self.runner.manifest.name, "done", len(result.hypotheses[0].tokens), "decode")
            yield RequestUpdate(request, result)

    def _result(self, row: int, request: RequestState) -> EngineResult:
        hypotheses = tuple(
            EngineHypothesis(h.tokens, h.logprobs, h.score, h.finish_reason, self._followed(row, request, h.path))
            for h in self._search.hypotheses(row)
        )
        request.ended = time.monotonic()
        return EngineResult(
            hypotheses,
            queue_s=request.admitted - request.submitted,
            encode_s=request.encode_s,
            decode_s=request.ended - request.admitted - request.encode_s,
            novelty=self._slots.novelty(row),
        )

    def _followed(self, row: int, request: RequestState, path: Int64Array, first: int = 0) -> Float32Array | None:
        """The maps of a hypothesis' tokens, float32 [layers, heads, target, source]; None unless they are kept."""
        if self._maps is None or not request.request.attention:
            return None
        return self._maps.follow(row, path, int(self._slots.source_lengths[row]), first)

    def _close_gaps(self) -> None:
        """Moves the last live requests into free rows, so that live rows are a prefix."""
        rows, num_live = self._rows, self.num_live
        free = [row for row in range(num_live) if rows[row] is None]
        if free:
            moved = [row for row in range(num_live, len(rows)) if rows[row] is not None]
            self._slots.move(moved, free)
            for source, row in zip(moved, free, strict=True):
                request = rows[row] = rows[source]
                self._search.move(source, row)
                if self._maps is not None and request is not None and request.request.attention:
                    self._maps.move(source, row, request.num_tokens)
        del rows[num_live:]
