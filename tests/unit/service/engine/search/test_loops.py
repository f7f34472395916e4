"""Outputs that repeat themselves are ended, by every search, if their request says so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.engine.search.loops import MIN_FIRST_CHECK, NUM_BETWEEN_CHECKS, ends_in_loop
from regard_service.engine.search.search import Search, open_search
from regard_service.engine.search.single import SingleSearch
from regard_service.generation import Generation

VOCAB_SIZE, END_ID, CAPACITY = 20, 1, 200
PHRASE = (7, 8, 9)


def opened(num_beams: int) -> Search:
    return open_search(
        num_beams, max_requests=2, max_target_tokens=CAPACITY, vocab_size=VOCAB_SIZE, start_id=0, end_ids=[END_ID]
    )


def logits(step: int, repeats: bool, num_beams: int) -> tuple[np.ndarray, np.ndarray]:
    """Candidates of a model that says a phrase for ever, or that counts: float32 and int64 [beams, vocabulary]."""
    best = PHRASE[step % 3] if repeats else 2 + step * step % 17 % (VOCAB_SIZE - 2)
    row = np.full(VOCAB_SIZE, -9.0, np.float32)
    row[best] = -0.1
    ids = np.argsort(-row, kind="stable")
    return np.repeat(row[ids][None], num_beams, 0), np.repeat(ids[None], num_beams, 0)


def length(search: Search, generation: Generation, *, repeats: bool = True, row_before: bool = False) -> int:
    """Returns the length of the output."""
    search.admit(0, generation)
    for step in range(CAPACITY):
        scores, ids = logits(step, repeats, search.num_beams)
        width = search.num_candidates(1)
        advance = search.advance(1, scores[:, :width], ids[:, :width], np.zeros(search.num_beams, np.float32))
        if advance.finished[0]:
            (best,) = search.hypotheses(0)
            assert best.finish_reason == "length"
            return len(best.tokens)
    raise AssertionError("it never ends")


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_loop_is_ended_long_before_the_limit(num_beams: int) -> None:
    generation = Generation(150, num_beams=num_beams, max_loop=12)
    assert length(opened(num_beams), generation) <= 75 + NUM_BETWEEN_CHECKS + 1
    short = Generation(60, num_beams=num_beams, max_loop=12)
    assert length(opened(num_beams), short) <= max(MIN_FIRST_CHECK, 30) + NUM_BETWEEN_CHECKS + 1


@pytest.mark.parametrize("num_beams", [1, 3])
def test_nothing_is_ended_unless_the_request_says_so(num_beams: int) -> None:
    assert length(opened(num_beams), Generation(150, num_beams=num_beams)) == 150


@pytest.mark.parametrize("num_beams", [1, 3])
def test_what_does_not_repeat_goes_on(num_beams: int) -> None:
    assert length(opened(num_beams), Generation(90, num_beams=num_beams, max_loop=12), repeats=False) == 90


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_loop_may_be_as_long_as_its_request_says(num_beams: int) -> None:
    assert length(opened(num_beams), Generation(150, num_beams=num_beams, max_loop=120)) > 110


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_moved_row_keeps_its_check(num_beams: int) -> None:
    search = opened(num_beams)
    search.admit(1, Generation(150, num_beams=num_beams, max_loop=12))
    search.move(1, 0)
    for step in range(CAPACITY):
        scores, ids = logits(step, True, num_beams)
        width = search.num_candidates(1)
        if search.advance(1, scores[:, :width], ids[:, :width], np.zeros(num_beams, np.float32)).finished[0]:
            break
    assert step < 100


@pytest.mark.parametrize("num_ahead", [1, 7, 30, 149])
def test_a_loop_ends_at_one_place_however_many_steps_are_made_at_once(num_ahead: int) -> None:
    search = opened(1)
    assert isinstance(search, SingleSearch)
    search.admit(0, Generation(150, max_loop=12))
    total = num_taken = 0
    while True:
        assert search.num_steps_ahead(1) == 150 - total
        tokens = np.array([PHRASE[(total + step) % 3] for step in range(num_ahead)], np.int64)[:, None]
        total += num_ahead
        taken = search.take(tokens, np.zeros((num_ahead, 1), np.float32))
        num_taken += int(taken.num_steps[0])
        if taken.finished[0]:
            break
    assert num_taken == len(search.hypotheses(0)[0].tokens) == 75


@given(st.lists(st.integers(0, 5), max_size=20), st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(4, 9))
def test_a_phrase_said_four_times_is_a_loop(before: list[int], phrase: list[int], count: int) -> None:
    tokens = np.array([*before, *phrase * count], np.int64)
    assert ends_in_loop(tokens, 1)
    assert not ends_in_loop(tokens, len(tokens) + 1)


def test_what_repeats_three_times_is_no_loop() -> None:
    assert not ends_in_loop(np.array([1, 2, 3] * 3), 1)
    assert not ends_in_loop(np.arange(50), 1)
