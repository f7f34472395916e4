"""Average precision of boxes, by hand."""

import numpy as np
import pytest

from regard_models.recipes.detection_scores import (
    Found,
    average_precision,
    intersection_over_union,
    mean_average_precision,
)


def found(*boxes: tuple[float, float, float, float, int, float]) -> Found:
    """Args: boxes: corners, label, score."""
    values = np.array(boxes, np.float32).reshape(-1, 6)
    return Found(values[:, :4], values[:, 4].astype(np.int64), values[:, 5])


SQUARE = (0.0, 0.0, 10.0, 10.0)
OTHER = (20.0, 20.0, 30.0, 30.0)


def test_overlap_is_the_shared_part_of_both() -> None:
    one, other = np.array([SQUARE, OTHER], np.float32), np.array([(5.0, 0.0, 15.0, 10.0)], np.float32)
    np.testing.assert_allclose(intersection_over_union(one, other), [[1 / 3], [0.0]], atol=1e-6)


def test_an_object_counts_once_and_surer_boxes_first() -> None:
    truth = [found((*SQUARE, 0, 1), (*OTHER, 0, 1))]
    assert average_precision(truth, [found((*SQUARE, 0, 0.9), (*OTHER, 0, 0.8))], 0) == 1
    # The second box of one object is wrong: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1.
    twice = [found((*SQUARE, 0, 0.9), (*SQUARE, 0, 0.8), (*OTHER, 0, 0.7))]
    assert average_precision(truth, twice, 0) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert average_precision(truth, [found((*SQUARE, 1, 0.9))], 0) == 0
    assert average_precision(truth, [found()], 0) == 0


def test_the_mean_leaves_out_labels_that_no_picture_holds() -> None:
    truth = [found((*SQUARE, 0, 1)), found((*OTHER, 2, 1))]
    detected = [found((*SQUARE, 0, 0.9)), found((*OTHER, 2, 0.1), (*SQUARE, 2, 0.9), (*SQUARE, 1, 0.9))]
    assert mean_average_precision(truth, detected, 4) == pytest.approx((1 + 0.5) / 2)
