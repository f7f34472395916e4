"""The core without threads: rows that requests take over, several steps a call, and what ends a call of `step`."""

import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.engine.core.batch import RunningBatch
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.request import STEPS_BETWEEN_TIMES, EngineRequest, RequestState
from regard_service.engine.core.result import CommittedToken, EngineResult, RequestUpdate
from regard_service.engine.core.rows import step_once
from regard_service.engine.runtime.slots import Slots, SlotsShape
from regard_service.errors import DeadlinePassed
from regard_service.generation import Generation, Sampling, Spelling, Term, Terms
from tests.unit.service.engine.fake_runner import END_ID, FakeRunner

SHAPE = SlotsShape(max_requests=4, num_beams=1, source=32, capacity=64)


class Recorder(EngineObserver):
    def __init__(self) -> None:
        self.num_slots: list[int] = []
        self.num_first_tokens = 0

    def stepped(self, model: str, num_slots: int, seconds: float) -> None:
        assert seconds >= 0
        self.num_slots.append(num_slots)

    def first_token(self, model: str, seconds: float) -> None:
        self.num_first_tokens += 1


class Bench:
    """A running batch that requests join."""

    def __init__(self, runner: FakeRunner | None = None) -> None:
        self.runner = runner or FakeRunner()
        self.observer = Recorder()
        self.batch = RunningBatch(self.runner, SHAPE, self.observer)

    def join(
        self,
        length: int,
        max_new_tokens: int = 60,
        *,
        streams: bool = False,
        attention: bool = False,
        deadline: float | None = None,
        sampling: Sampling | None = None,
    ) -> RequestState:
        generation = Generation(max_new_tokens, sampling=sampling)
        request = EngineRequest((np.arange(length) % 30) + 5, generation, attention=attention, deadline=deadline)
        state = RequestState(request, time.monotonic(), is_streamed=streams)
        state.step_times = []
        self.batch.join(self.batch.encode([state]))
        return state

    def step(self, continue_stepping: Callable[[int], bool] = step_once) -> list[RequestUpdate]:
        return [*self.batch.evict(), *self.batch.step(continue_stepping)]


def result_of(request: RequestState, updates: list[RequestUpdate]) -> EngineResult:
    (result,) = (u.news for u in updates if u.request is request and isinstance(u.news, EngineResult))
    return result


def is_echo(request: RequestState, result: EngineResult) -> bool:
    tokens: list[int] = result.hypotheses[0].tokens.tolist()
    return tokens == [*request.request.source.tolist(), END_ID]


jobs = st.lists(
    st.tuples(st.integers(1, 31), st.integers(1, 40), st.booleans(), st.booleans(), st.integers(0, 6)),
    min_size=1,
    max_size=6,
)


@given(jobs, st.lists(st.booleans(), min_size=1, max_size=30))
def test_several_steps_a_call_make_what_single_ones_make(
    jobs: list[tuple[int, int, bool, bool, int]], decisions: list[bool]
) -> None:
    """Requests of all lengths, with and without limits, maps and streams, that join before any call."""
    bench = Bench()
    updates: list[RequestUpdate] = []
    requests: list[RequestState] = []
    num_calls, num_decided, waiting = 0, 0, sorted(jobs, key=lambda job: job[-1])

    def continue_stepping(num_ended: int) -> bool:
        nonlocal num_decided
        num_decided += 1
        return decisions[num_decided % len(decisions)]

    while waiting or bench.batch.num_live:
        while waiting and waiting[0][-1] <= num_calls and bench.batch.num_live < SHAPE.max_requests:
            length, limit, streams, attention, _ = waiting.pop(0)
            requests.append(bench.join(length, limit, streams=streams, attention=attention))
        updates += bench.step(continue_stepping)
        num_calls += 1
    for request in requests:
        check(request, updates)
    assert bench.observer.num_first_tokens == len(requests)
    assert len(bench.observer.num_slots) == bench.runner.num_steps == bench.batch.num_steps


def check(state: RequestState, updates: list[RequestUpdate]) -> None:
    """The request's result, maps and stream are those of a model that echoes its source."""
    source, limit = state.request.source.tolist(), state.request.generation.max_new_tokens
    (best,) = result_of(state, updates).hypotheses
    expected = [*source, END_ID][:limit]
    assert best.tokens.tolist() == expected
    assert best.finish_reason == ("end" if len(expected) > len(source) else "length")
    assert best.logprobs.shape == (len(expected),)
    assert state.num_steps == len(expected)
    assert [step for step, _ in state.step_times or ()] == [*range(1, len(expected) + 1, STEPS_BETWEEN_TIMES)]
    if state.request.attention:
        assert best.cross_attention is not None
        assert best.cross_attention.shape == (1, 1, len(expected), len(source))
        maps = best.cross_attention[0, 0, : len(source)]
        np.testing.assert_array_equal(maps, np.eye(len(source))[: len(maps)])
    if state.is_streamed:
        parts = [u.news for u in updates if u.request is state and isinstance(u.news, list)]
        heard: list[CommittedToken] = [token for part in parts for token in part]
        assert [token.id for token in heard] == expected[: len(heard)]


def test_a_call_stops_at_the_first_limit() -> None:
    bench = Bench()
    bench.join(30)
    short = bench.join(30, max_new_tokens=3)
    updates = bench.step(lambda num_ended: True)
    assert bench.runner.num_steps == 3
    assert result_of(short, updates).hypotheses[0].finish_reason == "length"


def test_a_call_stops_when_all_requests_have_ended() -> None:
    bench = Bench()
    seen: list[int] = []
    for length in (2, 5):
        bench.join(length)

    def continue_stepping(num_ended: int) -> bool:
        seen.append(num_ended)
        return True

    updates = bench.step(continue_stepping)
    assert seen == [0, 0, 1, 1, 1]
    assert bench.runner.num_steps == 6
    assert len(updates) == 2


def test_a_call_stops_when_a_caller_has_left() -> None:
    bench = Bench()
    leaving, staying = bench.join(20), bench.join(20)

    def continue_stepping(num_ended: int) -> bool:
        leaving.has_left = bench.runner.num_steps == 4
        return True

    bench.step(continue_stepping)
    assert bench.runner.num_steps == 5  # the batch looks after the step during which the caller left
    bench.step()
    assert bench.batch.requests == [staying]


def test_a_call_stops_at_the_first_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=1000.0)
    clock.monotonic = lambda: clock.now
    for module in ("batch", "rows"):
        monkeypatch.setattr(f"regard_service.engine.core.{module}.time", clock)
    bench = Bench()
    overdue = bench.join(30, deadline=clock.now + 5)
    bench.join(30)

    def continue_stepping(num_ended: int) -> bool:
        clock.now += 6
        return True

    assert bench.step(continue_stepping) == []
    assert bench.runner.num_steps == 2  # the clock passed the deadline between the first step and the second
    (update,) = [u for u in bench.step() if u.request is overdue]
    assert isinstance(update.news, DeadlinePassed)
    assert overdue not in bench.batch.requests


def test_a_request_that_draws_tokens_has_one_step_a_call() -> None:
    bench = Bench()
    bench.join(20)
    bench.join(20, sampling=Sampling(seed=1))
    bench.step(lambda num_ended: True)
    assert bench.runner.num_steps == 1


def test_a_step_that_fails_keeps_all_requests_in_their_rows() -> None:
    bench = Bench()
    states = [bench.join(length) for length in (3, 9)]
    bench.runner.fail = True
    with pytest.raises(RuntimeError):
        bench.step()
    assert bench.batch.requests == states
    assert all(is_echo(state, result_of(state, bench.step(lambda num_ended: True))) for state in states[:1])


def test_a_free_row_is_taken_over_and_gaps_are_closed_only_where_nobody_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[tuple[int, int]] = []
    move = Slots.move

    def noted(self: Slots, source_rows: Sequence[int], target_rows: Sequence[int]) -> None:
        moved.extend(zip(source_rows, target_rows, strict=True))
        move(self, source_rows, target_rows)

    monkeypatch.setattr(Slots, "move", noted)
    bench = Bench()
    states = [bench.join(length) for length in (2, 9, 3)]
    updates: list[RequestUpdate] = []

    def step_until_the_end_of(state: RequestState) -> None:
        while not state.ended:
            updates.extend(bench.step())

    step_until_the_end_of(states[0])
    states.append(bench.join(8))
    step_until_the_end_of(states[2])
    assert moved == []  # the fourth has the first one's row; the third was the last
    assert bench.batch.num_live == 2
    states.append(bench.join(15))
    while bench.batch.num_live:
        updates += bench.step()
    assert moved == [(2, 1), (1, 0)]  # a request ended, and none joined
    assert all(is_echo(state, result_of(state, updates)) for state in states)


NO_LETTERS = Spelling(bytes(40), bytes(40), bytes(40))


@given(st.lists(st.tuples(st.integers(3, 20), st.integers(0, 2), st.booleans(), st.booleans()), min_size=1, max_size=4))
def test_terms_beside_plain_requests_streams_and_maps(jobs: list[tuple[int, int, bool, bool]]) -> None:
    """A step at position t attends to position t: a term takes the place of what its source position becomes."""
    bench = Bench()
    states, shown = [], []
    for length, place, streams, attention in jobs:
        source = (np.arange(length) % 30) + 5
        term = Term((place,), (35, 36), (35, 36), (35, 36))
        has_terms = place > 0
        terms = Terms((term,), (), NO_LETTERS) if has_terms else None
        request = EngineRequest(source, Generation(60, terms=terms), attention=attention)
        states.append(RequestState(request, time.monotonic(), is_streamed=streams))
        shown.append([*source[:place], 35, 36, *source[place + 2 :], END_ID] if has_terms else [*source, END_ID])
    bench.batch.join(bench.batch.encode(states))
    streamed: dict[int, list[int]] = {}
    results: dict[int, EngineResult] = {}
    while len(results) < len(states):
        for update in bench.step():
            number = states.index(update.request)
            if isinstance(update.news, EngineResult):
                results[number] = update.news
            elif isinstance(update.news, list):
                streamed.setdefault(number, []).extend(token.id for token in update.news)
    for number, (state, expected) in enumerate(zip(states, shown, strict=True)):
        best = results[number].hypotheses[0]
        assert best.tokens.tolist() == expected
        if state.is_streamed:
            assert streamed[number] == expected
        if state.request.attention:
            assert best.cross_attention is not None
            attended = best.cross_attention[0, 0].argmax(axis=1)
            num_source = len(state.request.source)
            assert attended[:num_source].tolist() == list(range(num_source))
