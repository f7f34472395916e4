"""Decoding some requests to their end, without a queue and without threads."""

import numpy as np
import pytest

from regard_service.engine.core.decode import MAX_ENCODED_POSITIONS, decode, groups
from regard_service.engine.core.request import EngineRequest, RequestState
from regard_service.errors import DeadlinePassed
from regard_service.generation import Generation
from tests.unit.service.engine.fake_runner import END_ID, FakeRunner


def request(length: int, beams: int = 1, deadline: float | None = None) -> EngineRequest:
    source = np.arange(length) % 30 + 5
    return EngineRequest(source, Generation(40, num_beams=beams), attention=True, deadline=deadline)


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("max_rows", [1, 3, 32])
def test_every_request_has_its_result_in_order(beams: int, max_rows: int) -> None:
    runner, requests = FakeRunner(), [request(3 + 7 * n % 30, beams) for n in range(9)]
    results = list(decode(runner, requests, max_rows=max_rows))
    for asked, result in zip(requests, results, strict=True):
        best = result.hypotheses[0]
        assert best.tokens.tolist() == [*asked.source.tolist(), END_ID]
        assert best.cross_attention is not None
        assert best.cross_attention.shape == (1, 1, len(best.tokens), len(asked.source))
    assert max(runner.batch_sizes) == min(max_rows, 9)


def test_a_finished_request_leaves_and_the_next_joins() -> None:
    runner = FakeRunner()
    list(decode(runner, [request(length) for length in (30, 2, 2, 2, 2)], max_rows=2))
    assert runner.num_steps == 31, "the short ones run beside the long one"


def test_without_requests_nothing_runs() -> None:
    assert list(decode(FakeRunner(), [])) == []


def test_a_deadline_that_passes_is_an_error() -> None:
    with pytest.raises(DeadlinePassed):
        list(decode(FakeRunner(), [request(5, deadline=0.0)]))


def test_sources_are_encoded_together_up_to_a_number_of_positions() -> None:
    runner, half = FakeRunner(), MAX_ENCODED_POSITIONS // 2
    lengths = [half, half, 1, 2 * MAX_ENCODED_POSITIONS, 1]
    states = [RequestState(request(length), 0.0) for length in lengths]
    found = [[runner.source_length(s.request.source) for s in group] for group in groups(runner, states)]
    assert found == [[half, half], [1], [2 * MAX_ENCODED_POSITIONS], [1]]
