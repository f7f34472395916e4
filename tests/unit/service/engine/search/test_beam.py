"""How children are arranged in slots, and what happens when nothing is left to choose."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regard.arrays import Int64Array
from regard_service.engine.search.beam import slots_of_children
from regard_service.engine.search.search import open_search
from regard_service.generation import Generation


@given(st.integers(1, 6).flatmap(lambda k: arrays(np.int64, (3, k), elements=st.integers(0, k - 1))))
def test_first_child_takes_its_parents_slot(parents: Int64Array) -> None:
    children = slots_of_children(parents)
    num_beams = parents.shape[1]
    np.testing.assert_array_equal(np.sort(children, axis=1), np.tile(np.arange(num_beams), (3, 1)))
    for row in range(3):
        for slot in set(parents[row].tolist()):
            assert children[row, slot] == parents[row].tolist().index(slot)


def test_a_request_without_any_allowed_token_still_gets_an_output() -> None:
    search = open_search(2, max_requests=1, max_target_tokens=9, vocab_size=3, start_id=0, end_ids=(1,))
    search.admit(0, Generation(9, num_beams=2, min_new_tokens=9, no_repeat_ngram_size=1))
    logits = np.zeros((2, 3), np.float32)
    ids = np.tile(np.arange(3), (2, 1))
    finished = False
    for _ in range(9):
        finished = bool(search.advance(1, logits, ids, np.full(2, np.log(3), np.float32)).finished[0])
        if finished:
            break
    assert finished
    [hypothesis] = search.hypotheses(0)
    assert hypothesis.tokens[0] == 2
    assert hypothesis.finish_reason == "length"
    assert np.isfinite(hypothesis.score)
    np.testing.assert_array_equal(search.committed(0).tokens, hypothesis.tokens)


def test_banned_by_the_model_itself() -> None:
    """A graph may mask tokens with minus infinity; such candidates are never chosen while others are left."""
    search = open_search(2, max_requests=1, max_target_tokens=3, vocab_size=4, start_id=0, end_ids=(1,))
    search.admit(0, Generation(3, num_beams=2, num_return_sequences=2))
    logits = np.tile(np.array([1.0, 0.0, -np.inf, -np.inf], np.float32), (2, 1))
    ids = np.tile(np.array([2, 3, 0, 1]), (2, 1))
    for _ in range(3):
        advance = search.advance(1, logits, ids, np.full(2, np.log(np.e + 1), np.float32))
    assert advance.finished.all()
    for hypothesis in search.hypotheses(0):
        assert set(hypothesis.tokens) <= {2, 3}
        assert np.isfinite(hypothesis.score)


def test_a_dead_end_continues_a_beam_that_was_running() -> None:
    """The slot of a beam that died earlier must not become the output, nor take back what was committed."""
    search = open_search(2, max_requests=1, max_target_tokens=9, vocab_size=4, start_id=0, end_ids=(1,))
    search.admit(0, Generation(9, num_beams=2))
    ids = np.tile(np.array([2, 3, 0, 1]), (2, 1))
    nothing = [-np.inf] * 4
    steps = [
        [[1.0, 0.5, -np.inf, -np.inf]] * 2,  # token 2 to slot 0, token 3 to slot 1
        [nothing, [0.0, -np.inf, -np.inf, -np.inf]],  # only slot 1 goes on, with token 2
        [[1.0, 0.5, 0.0, -1.0], nothing],
    ]
    for logits in steps:
        advance = search.advance(1, np.array(logits, np.float32), ids, np.zeros(2, np.float32))
        committed = search.committed(0)
    assert advance.finished.all()
    [hypothesis] = search.hypotheses(0)
    assert hypothesis.tokens.tolist()[:2] == [3, 2]
    assert np.isfinite(hypothesis.score)
    np.testing.assert_array_equal(committed.tokens, hypothesis.tokens)


def test_running_beams_remain_when_all_end_tokens_are_likeliest() -> None:
    """With n end tokens, num_beams * n of the best continuations may end; as many as there are beams must go on."""
    search = open_search(2, max_requests=1, max_target_tokens=9, vocab_size=8, start_id=0, end_ids=(1, 2, 3))
    search.admit(0, Generation(2, num_beams=2, num_return_sequences=2, early_stopping="never", length_penalty=10.0))
    ids = np.tile(np.array([1, 2, 3, 4, 5, 6, 7, 0]), (2, 1))
    logits = np.tile(np.array([5, 4.9, 4.8, 1, 0.9, 0, 0, 0], np.float32), (2, 1))
    advance = search.advance(1, logits, ids, np.full(2, 6.5, np.float32))
    assert sorted(advance.tokens.tolist()) == [4, 5]
    assert not advance.finished.any()
