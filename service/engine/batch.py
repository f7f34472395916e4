"""The running batch: requests of one model, one source-length bucket and one beam width, stepped together."""

import time
from collections.abc import Iterator

import numpy as np

from service.decoding.search import open_search
from service.engine.maps import MapHistory
from service.engine.observer import EngineObserver
from service.engine.request import CommittedToken, EngineHypothesis, EngineResult, Float32Array, Int64Array
from service.engine.runner import Runner, StepBindings, StepOutput
from service.engine.slots import SlotsShape
from service.engine.ticket import STEPS_BETWEEN_TIMES, Delivery, Ticket
from service.errors import DeadlinePassed


class RunningBatch:
    """Requests join and leave between steps; live ones are rows 0 to n - 1 of every buffer.

    One worker at a time may call `admit` and `step`.
    """

    def __init__(self, runner: Runner, shape: SlotsShape, observer: EngineObserver) -> None:
        self.runner = runner
        self.shape = shape
        self.observer = observer
        self.tickets: list[Ticket] = []
        self.has_postponed = False  # the scheduler's: whether requests that could have joined wait for the next step
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
    def num_live(self) -> int:
        return len(self.tickets)

    @property
    def num_free(self) -> int:
        return self.shape.max_requests - self.num_live

    @property
    def memory_bytes(self) -> int:
        return self._slots.memory_bytes

    @property
    def state_bytes(self) -> int:
        return self._slots.state_bytes

    @property
    def map_bytes(self) -> int:
        return 0 if self._maps is None else self._maps.num_bytes

    def admit(self, tickets: list[Ticket]) -> None:
        """Encodes requests together and gives each the next free row."""
        started = time.monotonic()
        for ticket in tickets:
            ticket.admitted = started
        memory = self.runner.encode([ticket.request.source for ticket in tickets])
        encode_s = time.monotonic() - started
        model = self.runner.manifest.name
        self.observer.encoded(model, len(tickets), encode_s)
        for index, ticket in enumerate(tickets):
            ticket.encode_s = encode_s
            num_source = self.runner.source_length(ticket.request.source)
            self._slots.write(self.num_live, memory, index, num_source, self.runner.manifest.target.start_id)
            self._search.admit(self.num_live, ticket.request.generation)
            self.tickets.append(ticket)
            self.observer.admitted(model, started - ticket.submitted, num_source)

    def step(self) -> list[Delivery]:
        """Runs one decoder position for every live request.

        Returns:
            what callers have to be told: tokens for streams, results, passed deadlines.
        """
        deliveries = list(self._evict_departed())
        if not self.tickets:
            return deliveries
        started = time.monotonic()
        output = self.runner.step(
            self._slots, self.num_live, self._search.num_candidates(self.num_live), self._bindings
        )
        self._keep_maps(output)
        advance = self._search.advance(
            self.num_live, output.candidate_logits, output.candidate_ids, output.log_normalizer
        )
        self._slots.advance(advance.tokens, advance.parents, moved=advance.moved)
        num_slots = len(advance.tokens)
        self._count_steps()
        deliveries += self._committed()
        deliveries += self._evict_finished(np.flatnonzero(advance.finished).tolist())
        self.observer.stepped(self.runner.manifest.name, num_slots, time.monotonic() - started)
        return deliveries

    def _keep_maps(self, output: StepOutput) -> None:
        """Copies this step's maps, for the requests that want them."""
        rows = [row for row, ticket in enumerate(self.tickets) if ticket.request.attention]
        if not rows:
            return
        if self._maps is None:
            layout = self.runner.manifest.attention
            self._maps = MapHistory(self.shape, layout.layers, layout.heads)
        steps = [self.tickets[row].num_steps for row in rows]
        self._maps.keep(np.array(rows), np.array(steps), output.cross_attention)

    def _count_steps(self) -> None:
        now = time.monotonic()
        for ticket in self.tickets:
            ticket.num_steps += 1
            if ticket.step_times is not None and ticket.num_steps % STEPS_BETWEEN_TIMES == 1:
                ticket.step_times.append((ticket.num_steps, now))
            if ticket.num_steps == 1:
                self.observer.first_token(self.runner.manifest.name, now - ticket.submitted)

    def _committed(self) -> Iterator[Delivery]:
        """Yields, for each stream, the tokens that became certain."""
        for row, ticket in enumerate(self.tickets):
            if ticket.on_tokens is None:
                continue
            prefix = self._search.committed(row, ticket.num_committed)
            if not len(prefix.tokens):
                continue
            maps = self._followed(row, prefix.path, ticket.num_committed)
            rows = [None] * len(prefix.tokens) if maps is None else np.moveaxis(maps, 2, 0)
            choices = zip(prefix.tokens.tolist(), prefix.logprobs.tolist(), rows, strict=True)
            ticket.num_committed += len(prefix.tokens)
            yield Delivery(ticket, [CommittedToken(*choice) for choice in choices])

    def _evict_departed(self) -> Iterator[Delivery]:
        """Frees the rows of requests whose caller has left or whose deadline has passed."""
        for row in reversed(range(self.num_live)):
            ticket = self.tickets[row]
            if ticket.departed or ticket.overdue:
                self._evict(row)
                name = self.runner.manifest.name
                self.observer.finished(name, ticket.interruption, ticket.num_steps, ticket.phase)
                yield Delivery(ticket, DeadlinePassed("the deadline passed while decoding"))

    def _evict_finished(self, rows: list[int]) -> Iterator[Delivery]:
        for row in reversed(rows):
            ticket = self.tickets[row]
            result = self._result(row, ticket)
            self._evict(row)
            self.observer.finished(self.runner.manifest.name, "done", len(result.hypotheses[0].tokens), "decode")
            yield Delivery(ticket, result)

    def _result(self, row: int, ticket: Ticket) -> EngineResult:
        hypotheses = tuple(
            EngineHypothesis(h.tokens, h.logprobs, h.score, h.finish_reason, self._followed(row, h.path))
            for h in self._search.hypotheses(row)
        )
        return EngineResult(
            hypotheses,
            queue_s=ticket.admitted - ticket.submitted,
            encode_s=ticket.encode_s,
            decode_s=time.monotonic() - ticket.admitted - ticket.encode_s,
        )

    def _followed(self, row: int, path: Int64Array, first: int = 0) -> Float32Array | None:
        """The maps of a hypothesis' tokens, float32 [layers, heads, target, source]; None unless asked for."""
        if self._maps is None or not self.tickets[row].request.attention:
            return None
        return self._maps.follow(row, path, int(self._slots.source_lengths[row]), first)

    def _evict(self, row: int) -> None:
        """Frees a row; the last live request moves into it, so that live rows stay a prefix."""
        last = self.num_live - 1
        if row != last:
            self._slots.move(last, row)
            self._search.move(last, row)
            if self._maps is not None and self.tickets[last].request.attention:
                self._maps.move(last, row, self.tickets[last].num_steps)
            self.tickets[row] = self.tickets[last]
        self.tickets.pop()
