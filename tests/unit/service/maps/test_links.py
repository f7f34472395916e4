"""Hard links, entropy and coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regard.arrays import Float32Array
from regard_service.maps.links import (
    Links,
    coverage,
    entropy,
    hard_links,
    joined_links,
    source_coverage,
    symmetric_links,
)


def _normalize(weights: Float32Array) -> Float32Array:
    normalized: Float32Array = weights / weights.sum(axis=1, keepdims=True)
    return normalized


shapes = st.tuples(st.integers(1, 6), st.integers(1, 8))
alignments = shapes.flatmap(lambda s: arrays(np.float32, s, elements=st.floats(0.0009765625, 1, width=32))).map(
    _normalize
)


@given(alignments)
def test_entropy_lies_between_certainty_and_uniformity(alignment: Float32Array) -> None:
    nats = entropy(alignment)
    assert nats.dtype == np.float32
    assert (nats >= 0).all()
    assert (nats <= np.log(alignment.shape[1]) + 1e-5).all()


def test_entropy_of_known_rows() -> None:
    rows = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0.25, 0.25, 0.25]], np.float32)
    np.testing.assert_allclose(entropy(rows), [0, np.log(2), np.log(4)], rtol=1e-6)


@given(alignments)
def test_coverage_is_the_overlap_with_earlier_rows(alignment: Float32Array) -> None:
    covered = coverage(alignment)
    expected = [np.minimum(row, alignment[:t].sum(axis=0)).sum() for t, row in enumerate(alignment)]
    np.testing.assert_allclose(covered, expected, atol=1e-5)
    assert covered[0] == 0
    assert (covered <= 1 + 1e-5).all()
    np.testing.assert_allclose(source_coverage(alignment).sum(), len(alignment), rtol=1e-5)


def test_links_omit_special_units() -> None:
    alignment = np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]], np.float32)
    assert hard_links(alignment, [False] * 3, [False] * 3) == [(2, 0), (0, 1), (2, 2)]
    assert hard_links(alignment, [False, False, True], [False, False, True]) == [(1, 0), (0, 1)]
    assert hard_links(alignment, [True] * 3, [False] * 3) == []
    assert hard_links(alignment, [False] * 3, [True] * 3) == []


@pytest.mark.parametrize("special", [(), (0,), (1, 2)])
def test_links_are_python_numbers(special: tuple[int, ...]) -> None:
    alignment = np.full((2, 4), 0.25, np.float32)
    links = hard_links(alignment, [index in special for index in range(4)], [False, False])
    first = min(set(range(4)) - set(special))
    assert links == [(first, 0), (first, 1)]
    assert all(type(number) is int for link in links for number in link)


def _links(weights: list[list[float]]) -> list[tuple[int, int]]:
    alignment = _normalize(np.array(weights, np.float32))
    return symmetric_links(alignment, [False] * alignment.shape[1], [False] * alignment.shape[0])


def test_symmetric_links_join_several_units_with_one() -> None:
    assert _links([[8, 1, 1], [1, 5, 4], [1, 1, 8]]) == [(0, 0), (1, 1), (2, 2)]
    assert _links([[8, 1], [7, 2], [1, 8]]) == [(0, 0), (0, 1), (1, 2)]  # two target units say one of the source
    assert _links([[8, 7, 1], [1, 2, 8]]) == [(0, 0), (1, 0), (2, 1)]  # and the other way round


def test_a_unit_to_which_nothing_corresponds_has_no_link() -> None:
    # The second target unit attends weakly to what others say, and lies beside none of their links.
    assert _links([[9, 1, 1, 1], [1, 1, 1, 5], [1, 9, 1, 1], [1, 1, 9, 1], [1, 1, 1, 9]]) == [
        (0, 0),
        (1, 2),
        (2, 3),
        (3, 4),
    ]


def test_links_grow_by_pairs_of_some_weight_alone() -> None:
    others: list[list[float]] = [[1, 20, 1, 1, 1], [1, 1, 20, 1, 1], [1, 1, 1, 20, 1], [1, 1, 1, 1, 20]]
    linked = [(0, 0), (1, 2), (2, 3), (3, 4), (4, 5)]
    # The second target unit lies beside the link of the first, and attends most to the same source unit.
    assert _links([[20, 1, 1, 1, 1], [5, 3, 4, 4, 4], *others]) == linked  # with a relative weight of 0.22
    assert _links([[20, 1, 1, 1, 1], [9, 1, 1, 1, 1], *others]) == sorted([*linked, (0, 1)], key=lambda link: link[1])


def test_special_units_neither_have_symmetric_links_nor_compete() -> None:
    alignment = _normalize(np.array([[1, 2, 9], [2, 1, 9], [1, 1, 9]], np.float32))
    assert symmetric_links(alignment, [False, False, True], [False, False, True]) == [(1, 0), (0, 1)]
    assert symmetric_links(alignment, [True] * 3, [False] * 3) == []
    assert symmetric_links(alignment, [False] * 3, [True] * 3) == []


def test_without_weight_there_is_no_link() -> None:
    assert symmetric_links(np.zeros((2, 3), np.float32), [False] * 3, [False] * 2) == []


@given(alignments)
def test_symmetric_links_hold_what_both_directions_choose(alignment: Float32Array) -> None:
    num_targets, num_sources = alignment.shape
    links = symmetric_links(alignment, [False] * num_sources, [False] * num_targets)
    assert links == sorted(set(links), key=lambda link: (link[1], link[0]))
    strength = alignment / np.sqrt(alignment.sum(axis=0, dtype=np.float64))
    forward = {(int(row.argmax()), t) for t, row in enumerate(strength)}
    backward = {(s, int(column.argmax())) for s, column in enumerate(strength.T)}
    assert forward & backward <= set(links)
    assert set(links) <= forward | backward
    assert links  # the strongest pair of all is a link


@given(alignments)
def test_symmetric_links_of_the_transposed_alignment_are_the_same(alignment: Float32Array) -> None:
    num_targets, num_sources = alignment.shape
    distinct = alignment + np.arange(alignment.size, dtype=np.float32).reshape(alignment.shape) * 1e-3
    links = symmetric_links(distinct, [False] * num_sources, [False] * num_targets)
    turned = symmetric_links(np.ascontiguousarray(distinct.T), [False] * num_targets, [False] * num_sources)
    assert set(links) == {(s, t) for t, s in turned}


link_sets = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12)


@given(link_sets, link_sets)
def test_joined_links_grow_from_the_intersection_to_the_union(forward: Links, backward: Links) -> None:
    both, grown, final = (
        joined_links(forward, backward, method) for method in ("intersection", "grow_diag", "grow_diag_final_and")
    )
    assert both == forward & backward
    assert both <= grown <= final <= forward | backward
    linked = {source for source, _ in final}, {target for _, target in final}
    left_out = (forward | backward) - final
    assert all(source in linked[0] or target in linked[1] for source, target in left_out)


def test_links_grow_beside_others_and_free_words_are_linked_last() -> None:
    forward, backward = {(0, 0), (1, 1), (2, 1), (5, 5)}, {(0, 0), (1, 1), (1, 2)}
    assert joined_links(forward, backward, "grow_diag") == {(0, 0), (1, 1), (1, 2), (2, 1)}
    assert joined_links(forward, backward, "grow_diag_final_and") == {(0, 0), (1, 1), (1, 2), (2, 1), (5, 5)}
