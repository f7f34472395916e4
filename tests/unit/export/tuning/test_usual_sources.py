"""What is learned of the usual sources."""

import numpy as np
import pytest

from regard_export.tuning.usual_sources import gaussian, shrunk_covariance
from regard_service.bundle import TensorSpec

SPEC = TensorSpec(name="values", dtype="float32", shape=("requests", "source", 8))


def test_usual_sources_are_near_zero_and_others_above() -> None:
    rng = np.random.default_rng(0)
    scales = np.array([0.1, 1, 1, 1, 1, 1, 1, 10])
    learned = gaussian(SPEC, (5 + scales * rng.normal(size=(2000, 8))).astype(np.float32))
    usual = learned.novelty((5 + scales * rng.normal(size=(500, 8))).astype(np.float32))
    assert abs(np.exp(usual).mean() - 1) < 0.1
    unusual = learned.novelty(np.array([[5 + 2, *[5.0] * 7]], np.float32))  # 20 deviations of the first axis
    assert unusual[0] > usual.max()


def test_fewer_examples_than_dimensions_leave_it_finite() -> None:
    rng = np.random.default_rng(1)
    learned = gaussian(SPEC, rng.normal(size=(3, 8)).astype(np.float32))
    assert np.isfinite(learned.whitening).all()
    equal = gaussian(SPEC, np.ones((5, 8), np.float32))
    assert np.isfinite(equal.novelty(np.zeros((1, 8), np.float32))).all()


def test_the_shrinkage_is_that_of_ledoit_and_wolf() -> None:
    """The share of the paper, term by term: the mean distance of each example's product from the covariance."""
    rng = np.random.default_rng(2)
    centred = rng.normal(size=(30, 4)) * np.array([1, 2, 3, 4])
    centred -= centred.mean(axis=0)
    covariance = centred.T @ centred / 30
    scale = np.trace(covariance) / 4
    spread = np.square(covariance - scale * np.eye(4)).sum()
    noise = sum(np.square(np.outer(row, row) - covariance).sum() for row in centred) / 30**2
    share = noise / spread
    assert 0 < share < 1
    expected = share * scale * np.eye(4) + (1 - share) * covariance
    assert shrunk_covariance(centred) == pytest.approx(expected)
