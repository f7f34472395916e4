"""Attention weighted by the norms of the values."""

import numpy as np

from regard_service.maps.norms import weigh


def test_weights_are_multiplied_by_the_norms() -> None:
    attention = np.array([[[[0.5, 0.25, 0.25]]]], np.float32)
    norms = np.array([[[0.0, 1.0, 3.0]]], np.float32)
    np.testing.assert_allclose(weigh(attention, norms), [[[[0, 0.25, 0.75]]]])


def test_rows_sum_to_1_and_the_input_is_unchanged() -> None:
    rng = np.random.default_rng(0)
    attention = rng.dirichlet(np.ones(7), (2, 3, 5)).astype(np.float32)
    before = attention.copy()
    weighed = weigh(attention, rng.random((2, 3, 7)).astype(np.float32))
    np.testing.assert_allclose(weighed.sum(-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(attention, before)


def test_rows_whose_norms_are_0_are_unchanged() -> None:
    attention = np.full((1, 1, 2, 4), 0.25, np.float32)
    np.testing.assert_array_equal(weigh(attention, np.zeros((1, 1, 4), np.float32)), attention)
