"""Keeping the best finished hypotheses, and knowing when to stop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regard.arrays import Float32Array
from regard_service.engine.search.ranking import NONE, FinishedPool, StoppingRules
from regard_service.generation import EarlyStopping, Generation

offers = st.lists(
    arrays(np.float32, (2, 3), elements=st.floats(-9, 0, width=32) | st.just(float(NONE))), min_size=1, max_size=6
)


@given(offers)
def test_pool_keeps_the_best_of_all_offers(rounds: list[Float32Array]) -> None:
    pool = FinishedPool(num_rows=2, num_beams=3)
    for index, scores in enumerate(rounds):
        numbers = np.arange(6).reshape(2, 3) + 6 * index
        lengths = np.array([index, index + 1])
        pool.offer(np.arange(2), scores, lengths, beams=numbers, tokens=numbers, logprobs=scores)
    everything = np.concatenate(rounds, axis=1)
    for row in range(2):
        offered = [score for score in everything[row].tolist() if score > NONE]
        kept = [score for score in pool.scores[row].tolist() if score > NONE]
        assert kept == sorted(offered, reverse=True)[:3]
        np.testing.assert_array_equal(pool.tokens[row, : len(kept)], pool.beams[row, : len(kept)])
        for score, number in zip(kept, pool.tokens[row], strict=False):
            assert rounds[number // 6][row, number % 3] == score


def test_pool_clears_and_moves_rows() -> None:
    pool = FinishedPool(num_rows=2, num_beams=1)
    one = np.ones((1, 1), np.int64)
    pool.offer(
        np.array([1]), np.array([[-1.0]], np.float32), np.array([4]), one, one * 7, np.array([[-0.5]], np.float32)
    )
    pool.move(1, 0)
    pool.clear(1)
    assert (pool.scores[0, 0], pool.lengths[0, 0], pool.tokens[0, 0]) == (-1.0, 4, 7)
    assert pool.scores[1, 0] == NONE


@pytest.mark.parametrize(
    ("early_stopping", "length_penalty", "best_running", "num_kept", "done"),
    [
        # 4 of 8 tokens made, worst of the two kept hypotheses: -1.
        ("first", 1.0, -1.0, 2, True),
        ("first", 1.0, -1.0, 1, False),
        ("heuristic", 1.0, -3.9, 2, False),
        ("heuristic", 1.0, -4.0, 2, True),
        ("heuristic", 1.0, -99.0, 1, False),
        ("never", 1.0, -4.1, 2, False),
        ("never", 1.0, -8.0, 2, True),
        ("never", -1.0, -0.2, 2, False),
        ("never", -1.0, -0.3, 2, True),
        ("heuristic", 0.0, -1.1, 2, True),
    ],
)
def test_stopping(
    early_stopping: EarlyStopping, length_penalty: float, best_running: float, num_kept: int, done: bool
) -> None:
    rules = StoppingRules(1)
    rules.set(0, Generation(8, num_beams=2, early_stopping=early_stopping, length_penalty=length_penalty))
    kept = np.array([[-0.5, -1.0 if num_kept == 2 else NONE]], np.float32)
    finished = rules.finished(np.array([4]), np.array([best_running], np.float32), kept)
    assert finished.tolist() == [done]


def test_stops_at_the_longest_output_and_when_nothing_runs() -> None:
    rules = StoppingRules(2)
    for row in range(2):
        rules.set(row, Generation(8, num_beams=2))
    kept = np.full((2, 2), NONE)
    assert rules.finished(np.array([8, 4]), np.array([-1.0, -1.0], np.float32), kept).tolist() == [True, False]
    assert rules.finished(np.array([7, 4]), np.array([-1.0, NONE], np.float32), kept).tolist() == [False, True]
