"""How children are arranged in slots, and what happens when nothing is left to choose."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from service.decoding.beam import slots_of_children
from service.decoding.search import open_search
from service.engine.request import Generation, Int64Array


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
