"""The words of a running batch: every row sees its own list, whichever rows join, move and leave."""

from collections.abc import Mapping

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from regard.arrays import Array, Float32Array, Int64Array
from regard_service.bundle import GraphSpec, TensorSpec
from regard_service.engine.runtime.word_list import LIST_BIAS, LIST_IDS, LIST_WORD_BIAS, MIN_WORDS, WordList

VOCABULARY, WIDTH, ROWS = 3_000, 4, 5
WEIGHTS: Float32Array = np.random.default_rng(0).normal(size=(VOCABULARY, WIDTH)).astype(np.float32)
BIAS: Float32Array = np.arange(VOCABULARY, dtype=np.float32)
OUTPUTS = GraphSpec(
    file="select.onnx",
    inputs=(TensorSpec(name=LIST_IDS, dtype="int64", shape=("words",)),),
    outputs=(
        TensorSpec(name="list_weight", dtype="float32", shape=(WIDTH, "words")),
        TensorSpec(name=LIST_WORD_BIAS, dtype="float32", shape=("words",)),
    ),
)


def _select(ids: Int64Array) -> Mapping[str, Array]:
    return {"list_weight": WEIGHTS[ids].T, LIST_WORD_BIAS: BIAS[ids]}


def _word_list(num_beams: int = 1) -> WordList:
    return WordList(_select, OUTPUTS, ROWS, num_beams, VOCABULARY)


def _words(rng: np.random.Generator, number: int) -> Int64Array:
    """A list whose first word is 0, as every list's is."""
    return np.concatenate([[0], 1 + rng.choice(VOCABULARY - 1, number, replace=False)])


def _check(words: WordList, row: int, own: Int64Array, num_beams: int = 1) -> None:
    ids, bias = words.buffers[LIST_IDS], words.buffers[LIST_BIAS]
    for slot in range(row * num_beams, (row + 1) * num_beams):
        seen = np.flatnonzero(np.isfinite(bias[slot]))
        assert sorted(ids[seen].tolist()) == sorted(own.tolist())
        np.testing.assert_array_equal(bias[slot, seen], BIAS[ids[seen]])
        np.testing.assert_array_equal(words.buffers["list_weight"][:, seen], WEIGHTS[ids[seen]].T)
        assert np.isfinite(bias[slot, 0])


@st.composite
def _events(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    kinds = st.sampled_from(["join", "join", "leave"])
    return draw(st.lists(st.tuples(kinds, st.integers(0, ROWS - 1), st.integers(0, 900)), min_size=1, max_size=25))


@settings(max_examples=80, deadline=None)
@given(events=_events(), num_beams=st.sampled_from([1, 3]), seed=st.integers(0, 99))
def test_each_row_sees_its_own_words(events: list[tuple[str, int, int]], num_beams: int, seed: int) -> None:
    rng, words = np.random.default_rng(seed), _word_list(num_beams)
    own: list[Int64Array] = []  # by row, live rows first, as in a running batch
    for kind, number, size in events:
        if kind == "join" and len(own) < ROWS:
            live = range(len(own))
            own += [_words(rng, size) for _ in range(min(1 + number, ROWS - len(own)))]
            words.write(dict(enumerate(own[len(live) :], len(live))), live)
        elif kind == "leave" and own:
            row = number % len(own)
            last = own.pop()
            if row < len(own):
                words.move(len(own), row)
                own[row] = last
        for row, each in enumerate(own):
            _check(words, row, each, num_beams)


def test_buffers_stay_while_words_fit() -> None:
    rng, words = np.random.default_rng(0), _word_list()
    words.write({0: _words(rng, 100)}, [])
    bias = words.buffers[LIST_BIAS]
    words.write({1: _words(rng, 100)}, [0])
    assert words.size == MIN_WORDS
    assert words.buffers[LIST_BIAS] is bias


def test_a_row_alone_gets_a_small_list_again() -> None:
    rng, words = np.random.default_rng(0), _word_list()
    for row in range(4):
        words.write({row: _words(rng, 600)}, list(range(row)))
    assert words.size > 1_200
    own = _words(rng, 50)
    words.write({0: own}, [])
    assert words.size == MIN_WORDS
    _check(words, 0, own)


def test_the_whole_vocabulary_fits() -> None:
    words = _word_list()
    everything = np.arange(VOCABULARY)
    words.write({2: everything}, [])
    _check(words, 2, everything)
