"""Merges maps between tokens to maps between words."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from regard.arrays import Float32Array
from regard_service.domain.results import Span
from regard_service.maps.word_maps import merge_words


@st.composite
def partitions(draw: st.DrawFn) -> list[Span]:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    ends = np.cumsum(sizes).tolist()
    return [Span(end - size, end) for size, end in zip(sizes, ends, strict=True)]


def attention(num_targets: int, num_sources: int) -> Float32Array:
    weights = np.random.default_rng(0).gamma(0.3, size=(2, 3, num_targets, num_sources)) + 1e-9
    normalized: Float32Array = (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)
    return normalized


@given(partitions(), partitions())
def test_merged_rows_still_sum_to_1(targets: list[Span], sources: list[Span]) -> None:
    values = attention(targets[-1].end, sources[-1].end)
    merged = merge_words(values, targets, sources)
    assert merged.shape == (2, 3, len(targets), len(sources))
    assert merged.dtype == np.float32
    np.testing.assert_allclose(merged.sum(axis=-1), 1.0, rtol=1e-5)
    for t, target in enumerate(targets):
        for s, source in enumerate(sources):
            block = values[..., target.start : target.end, source.start : source.end]
            np.testing.assert_allclose(merged[..., t, s], block.sum(-1).mean(-1), rtol=1e-4, atol=1e-7)


def test_an_axis_without_words_is_unchanged() -> None:
    values = attention(3, 4)
    np.testing.assert_array_equal(merge_words(values, None, None), values)
    words = [Span(0, 1), Span(1, 3)]
    assert merge_words(values, words, None).shape == (2, 3, 2, 4)
    before = values.copy()
    merge_words(values, words, [Span(0, 4)])
    np.testing.assert_array_equal(values, before)
