"""The running batch: requests of one model, one source-length bucket and one beam width, stepped together."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from regard.arrays import Array, BoolArray, Float32Array, Int64Array
from regard_service.engine.core.map_history import MapHistory
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.request import CommittedToken, EngineHypothesis, EngineResult
from regard_service.engine.core.slots import SlotsShape
from regard_service.engine.core.ticket import STEPS_BETWEEN_TIMES, Delivery, Ticket
from regard_service.engine.runtime.runner import Runner, StepBindings, StepOutput
from regard_service.engine.search.search import open_search
from regard_service.engine.search.single import SingleSearch
from regard_service.errors import DeadlinePassed

GoesOn = Callable[[int], bool]


def once(num_ended: int) -> bool:
    """A batch that is stepped once."""
    return False


@dataclass(frozen=True, eq=False)
class Encoded:
    """Requests that were encoded together.

    Attributes:
        memory: as of `Runner.encode`.
    """

    tickets: list[Ticket]
    memory: Mapping[str, Array]


class RunningBatch:
    """Requests join and leave between steps; live ones are rows 0 to n - 1 of every buffer.

    One worker at a time may call `join` and `step`.

    Attributes:
        num_steps: positions that it has run.
        num_requests: those that have a row or are promised one; the scheduler's, as are the next two.
        arrived: requests that are encoded, and join before the next step.
        has_postponed: whether requests that could have joined wait for the next step.
    """

    def __init__(self, runner: Runner, shape: SlotsShape, observer: EngineObserver) -> None:
        self.runner = runner
        self.shape = shape
        self.observer = observer
        self._rows: list[Ticket | None] = []  # None between steps only: a row that nobody has taken over yet
        self.num_steps = 0
        self.num_requests = 0
        self.arrived: list[Encoded] = []
        self.has_postponed = False
        self._slots = runner.open_slots(shape)
        self._bindings = StepBindings()
        self._maps: MapHistory | None = None  # until somebody wants maps
        target = runner.manifest.target
        self._search = open_search(
            shape.num_beams,
            max_requests=shape.max_requests,
            max_target_tokens=shape.capacity,
            vocab_size=target.vocab_size + (shape.source if target.copies else 0),
            start_id=target.start_id,
            end_ids=target.end_ids,
        )

    @property
    def tickets(self) -> list[Ticket]:
        """The live requests, by row."""
        return [ticket for ticket in self._rows if ticket is not None]

    @property
    def num_live(self) -> int:
        return len(self._rows) - self._rows.count(None)

    @property
    def num_free(self) -> int:
        return self.shape.max_requests - self.num_requests

    @property
    def memory_bytes(self) -> int:
        return self._slots.memory_bytes

    @property
    def state_bytes(self) -> int:
        return self._slots.state_bytes

    @property
    def map_bytes(self) -> int:
        return 0 if self._maps is None else self._maps.num_bytes

    def encode(self, tickets: list[Ticket], *, on_all_cores: bool = False) -> Encoded:
        """Encodes requests together. Another worker may step the batch meanwhile.

        Args:
            on_all_cores: no other worker has anything to do.
        """
        started = time.monotonic()
        for ticket in tickets:
            ticket.admitted = started
        encode = self.runner.encode_on_all_cores if on_all_cores else self.runner.encode
        memory = encode([ticket.request.source for ticket in tickets])
        encode_s = time.monotonic() - started
        self.observer.encoded(self.runner.manifest.name, len(tickets), encode_s)
        for ticket in tickets:
            ticket.encode_s = encode_s
        return Encoded(tickets, memory)

    def join(self, encoded: Encoded) -> None:
        """Gives each of these requests a row: one that is free again, or else the next."""
        manifest = self.runner.manifest
        for index, ticket in enumerate(encoded.tickets):
            if None not in self._rows:
                self._rows.append(None)
            row = self._rows.index(None)
            num_source = self.runner.source_length(ticket.request.source)
            self._slots.write(row, encoded.memory, index, num_source, manifest.target.start_id)
            self._search.admit(row, ticket.request.generation)
            self._rows[row] = ticket
            self.observer.admitted(manifest.name, ticket.admitted - ticket.submitted, num_source)

    def clear(self) -> None:
        """Forgets all requests."""
        self._rows.clear()

    def step(self, goes_on: GoesOn = once) -> list[Delivery]:
        """Runs one decoder position for every live request, or several where each just takes its best candidate.

        Args:
            goes_on: asked after each position whether there is to be another, with the number of requests that have
                ended by then.

        Returns:
            what callers have to be told: tokens for streams, results, passed deadlines.
        """
        deliveries = list(self._evict_departed())
        self._close_gaps()
        tickets = self.tickets
        if not tickets:
            return deliveries
        search = self._search
        if isinstance(search, SingleSearch) and (most := search.num_steps_ahead(len(tickets))):
            finished = self._step_ahead(search, tickets, most, goes_on)
        else:
            finished = self._step_once(tickets)
        deliveries += self._committed(tickets)
        deliveries += self._evict_finished(tickets, np.flatnonzero(finished).tolist())
        return deliveries

    def _step_once(self, tickets: list[Ticket]) -> BoolArray:
        """Runs one position and searches. Returns which rows are finished."""
        started, num_live = time.monotonic(), len(tickets)
        output = self.runner.step(self._slots, num_live, self._search.num_candidates(num_live), self._bindings)
        self._keep_maps(tickets, output)
        advance = self._search.advance(num_live, output.candidate_logits, output.candidate_ids, output.log_normalizer)
        self._slots.advance(advance.tokens, advance.parents, moved=advance.moved)
        self._count_steps(tickets, [1] * num_live, [started, time.monotonic()])
        return advance.finished

    def _step_ahead(self, search: SingleSearch, tickets: list[Ticket], most: int, goes_on: GoesOn) -> BoolArray:
        """Runs positions whose best candidates are taken, at least one and at most `most`; searches when all are done.

        Returns which rows are finished.
        """
        num_live = len(tickets)
        parents, ended = np.arange(num_live), np.zeros(num_live, np.bool_)
        deadline = min((t.request.deadline for t in tickets if t.request.deadline is not None), default=math.inf)
        tokens: list[Int64Array] = []
        logprobs: list[Float32Array] = []
        times = [time.monotonic()]
        while True:
            output = self.runner.step(self._slots, num_live, 1, self._bindings)
            self._keep_maps(tickets, output, len(tokens))
            tokens.append(output.candidate_ids[:, 0].copy())
            logprobs.append(output.candidate_logits[:, 0] - output.log_normalizer)
            self._slots.advance(tokens[-1], parents, moved=False)
            ended |= search.ends(tokens[-1])
            times.append(time.monotonic())
            is_last = len(tokens) == most or ended.all() or times[-1] > deadline
            if is_last or any(ticket.departed for ticket in tickets) or not goes_on(int(ended.sum())):
                break
        taken = search.take(np.stack(tokens), np.stack(logprobs))
        self._count_steps(tickets, taken.num_steps.tolist(), times)
        return taken.finished

    def _keep_maps(self, tickets: list[Ticket], output: StepOutput, num_more: int = 0) -> None:
        """Copies a step's maps, for the requests that want them, so many steps after those that are counted."""
        rows = [row for row, ticket in enumerate(tickets) if ticket.request.attention]
        if not rows:
            return
        if self._maps is None:
            layout = self.runner.manifest.attention
            self._maps = MapHistory(self.shape, layout.layers, layout.heads)
        steps = [tickets[row].num_steps + num_more for row in rows]
        self._maps.keep(np.array(rows), np.array(steps), output.cross_attention)

    def _count_steps(self, tickets: list[Ticket], num_steps: list[int], times: list[float]) -> None:
        """Takes note of the steps of each request; `times` has the beginning of the first and the end of each."""
        name = self.runner.manifest.name
        self.num_steps += len(times) - 1
        for began, ended in pairwise(times):
            self.observer.stepped(name, len(tickets) * self.shape.num_beams, ended - began)
        for ticket, num_made in zip(tickets, num_steps, strict=True):
            if not ticket.num_steps:
                self.observer.first_token(name, times[1] - ticket.submitted)
            if ticket.step_times is not None:
                counted = zip(range(ticket.num_steps + 1, ticket.num_steps + num_made + 1), times[1:], strict=False)
                ticket.step_times += [each for each in counted if each[0] % STEPS_BETWEEN_TIMES == 1]
            ticket.num_steps += num_made

    def _committed(self, tickets: list[Ticket]) -> Iterator[Delivery]:
        """Yields, for each stream, the tokens that became certain."""
        for row, ticket in enumerate(tickets):
            if ticket.on_tokens is None:
                continue
            prefix = self._search.committed(row, ticket.num_committed)
            if not len(prefix.tokens):
                continue
            maps = self._followed(row, ticket, prefix.path, ticket.num_committed)
            rows = [None] * len(prefix.tokens) if maps is None else np.moveaxis(maps, 2, 0)
            choices = zip(prefix.tokens.tolist(), prefix.logprobs.tolist(), rows, strict=True)
            ticket.num_committed += len(prefix.tokens)
            yield Delivery(ticket, [CommittedToken(*choice) for choice in choices])

    def _evict_departed(self) -> Iterator[Delivery]:
        """Frees the rows of requests whose caller has left or whose deadline has passed."""
        for row, ticket in enumerate(self._rows):
            if ticket is not None and (ticket.departed or ticket.overdue):
                self._rows[row] = None
                name = self.runner.manifest.name
                self.observer.finished(name, ticket.interruption, ticket.num_steps, ticket.phase)
                yield Delivery(ticket, DeadlinePassed("the deadline passed while decoding"))

    def _evict_finished(self, tickets: list[Ticket], rows: list[int]) -> Iterator[Delivery]:
        for row in rows:
            ticket = tickets[row]
            result = self._result(row, ticket)
            self._rows[row] = None
            self.observer.finished(self.runner.manifest.name, "done", len(result.hypotheses[0].tokens), "decode")
            yield Delivery(ticket, result)

    def _result(self, row: int, ticket: Ticket) -> EngineResult:
        hypotheses = tuple(
            EngineHypothesis(h.tokens, h.logprobs, h.score, h.finish_reason, self._followed(row, ticket, h.path))
            for h in self._search.hypotheses(row)
        )
        return EngineResult(
            hypotheses,
            queue_s=ticket.admitted - ticket.submitted,
            encode_s=ticket.encode_s,
            decode_s=time.monotonic() - ticket.admitted - ticket.encode_s,
        )

    def _followed(self, row: int, ticket: Ticket, path: Int64Array, first: int = 0) -> Float32Array | None:
        """The maps of a hypothesis' tokens, float32 [layers, heads, target, source]; None unless asked for."""
        if self._maps is None or not ticket.request.attention:
            return None
        return self._maps.follow(row, path, int(self._slots.source_lengths[row]), first)

    def _close_gaps(self) -> None:
        """Moves the last live requests into rows that nobody has taken over, so that live rows are a prefix."""
        rows = self._rows
        while None in rows:
            last = rows.pop()
            if last is None:
                continue
            row, source = rows.index(None), len(rows)
            self._slots.move(source, row)
            self._search.move(source, row)
            if self._maps is not None and last.request.attention:
                self._maps.move(source, row, last.num_steps)
            rows[row] = last
