"""The interval of words that a pair of tags goes around, against a search through all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.passages.markup.intervals import Worth

eighths = st.integers(-8, 8).map(lambda number: number / 8)  # exact in float32: sums have no order


@st.composite
def worths(draw: st.DrawFn, max_words: int = 8) -> Worth:
    count = draw(st.integers(1, max_words))
    words, starts, ends = (
        np.array(draw(st.lists(eighths, min_size=size, max_size=size)), np.float32)
        for size in (count, count + 1, count + 1)
    )
    are_words = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    return Worth(words, starts, ends, are_words, float(draw(st.integers(0, 4))))


@given(worths(), st.booleans(), st.booleans(), st.data())
def test_no_interval_is_worth_more(worth: Worth, fixed_start: bool, fixed_end: bool, data: st.DataObject) -> None:
    count = len(worth.words)
    start = data.draw(st.integers(0, count - 1))
    run = range(start, data.draw(st.integers(start + 1, count)))
    held = None
    if data.draw(st.booleans()):
        first = data.draw(st.integers(run.start, run.stop - 1))
        held = range(first, data.draw(st.integers(first + 1, run.stop)))
    allowed = [
        range(i, j)
        for i in run
        for j in range(i + 1, run.stop + 1)
        if (held is None or (i <= held.start and held.stop <= j))
        and (not fixed_start or i == run.start)
        and (not fixed_end or j == run.stop)
    ]
    with_words = [each for each in allowed if worth.are_words[each.start : each.stop].any()]
    expected = max(map(worth.of, with_words if worth.expected and with_words else allowed))
    found = worth.largest(run, held, fixed_start=fixed_start, fixed_end=fixed_end)
    assert found in allowed
    assert worth.of(found) == pytest.approx(expected, abs=1e-4)


def test_as_many_words_as_in_the_source_rather_than_one() -> None:
    """Of "SAML aktivieren" only the first word is known to stand for one of the source's two."""
    words = np.array([-1, 1, -0.1, -1], np.float32)
    no_edges, are_words = np.zeros(5, np.float32), np.ones(4, bool)
    two = Worth(words, no_edges, no_edges, are_words, 2.0)
    assert two.largest(range(4), None, fixed_start=False, fixed_end=False) == range(1, 3)
    one = Worth(words, no_edges, no_edges, are_words, 1.0)
    assert one.largest(range(4), None, fixed_start=False, fixed_end=False) == range(1, 2)


@given(st.data())
def test_a_long_run_takes_the_best_interval_whatever_its_length(data: st.DataObject) -> None:
    rng, count = np.random.default_rng(data.draw(st.integers(0, 99))), 150
    words, starts, ends = (rng.integers(-8, 9, size).astype(np.float32) for size in (count, count + 1, count + 1))
    worth = Worth(words, starts, ends, np.ones(count, bool), 2.0)
    found = worth.largest(range(count), None, fixed_start=False, fixed_end=False)
    sums = np.concatenate([[0], np.cumsum(words)])
    values = starts[:, None] + ends - sums[:, None] + sums
    values[np.tril_indices(count + 1)] = -np.inf
    assert values[found.start, found.stop] == pytest.approx(values.max(), abs=1e-3)
