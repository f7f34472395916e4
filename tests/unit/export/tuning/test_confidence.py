"""What the export learns about doubt: the regression, the calibration, the corruptions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_export.examples.dev_sets import DevExample
from regard_export.tuning.confidence import _calibration_error, _isotonic
from regard_export.tuning.corruptions import CORRUPTIONS, DOCUMENT_CORRUPTIONS, corrupted
from regard_export.tuning.logistic import auroc, fit_logistic

EXAMPLES = [DevExample(f"the {word} dog sees a cat", (f"der {word} Hund",)) for word in ("old", "new", "red")]


def test_the_regression_finds_the_feature_that_tells() -> None:
    rng = np.random.default_rng(0)
    negative, positive = rng.normal(size=(200, 3)), rng.normal(size=(200, 3))
    positive[:, 1] += 3
    negative[:, 2] = positive[:, 2] = 7.0  # says nothing
    weights, intercept = fit_logistic(negative, positive)
    assert weights[1] > 5 * abs(weights[0])
    assert weights[2] == 0
    assert auroc(negative @ weights + intercept, positive @ weights + intercept) > 0.95


def test_separable_examples_leave_the_weights_finite() -> None:
    weights, intercept = fit_logistic(np.zeros((5, 1)), np.ones((5, 1)))
    assert np.isfinite([*weights, intercept]).all()


def test_auroc_counts_ties_half() -> None:
    assert auroc(np.array([0.0, 1.0]), np.array([1.0, 2.0])) == pytest.approx(0.875)
    assert auroc(np.zeros(4), np.zeros(3)) == 0.5


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 9)), min_size=1, max_size=20))
def test_isotonic_values_ascend_and_keep_the_mean(points: list[tuple[float, int]]) -> None:
    values, weights = [value for value, _ in points], [weight for _, weight in points]
    fitted = _isotonic(values, weights)
    assert len(fitted) == len(values)
    assert all(later >= earlier - 1e-12 for earlier, later in pairwise(fitted))
    assert np.dot(fitted, weights) == pytest.approx(np.dot(values, weights))


def test_the_calibration_error_is_the_distance_from_what_is_found() -> None:
    right = np.tile([0.0, 1.0], 50)
    assert _calibration_error(np.full(100, 0.5), right) == pytest.approx(0)
    assert _calibration_error(np.full(100, 0.9), right) == pytest.approx(0.4)


@pytest.mark.parametrize("kind", sorted(set(CORRUPTIONS) | set(DOCUMENT_CORRUPTIONS)))
def test_corruptions_change_sources_and_are_repeatable(kind: str) -> None:
    found = corrupted(kind, EXAMPLES)
    assert found == corrupted(kind, EXAMPLES)
    assert len(found) == len(EXAMPLES)
    assert all(text != example.source for text, example in zip(found, EXAMPLES, strict=True))
    assert all(text.strip() for text in found)
