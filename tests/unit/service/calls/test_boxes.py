"""From logits and boxes to the objects of a call."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regard.arrays import Float32Array
from regard_service.bundle import BoxesOutput
from regard_service.calls.boxes import find_objects, overlaps
from regard_service.domain.calls import DetectCall
from regard_service.domain.outputs import Detection
from regard_service.domain.results import ImageGrid

LABELS = ("cat", "dog", "N/A", "N/A")
GRID = ImageGrid(2, 2, 200, 100, (0.0, 0.0, 200.0, 100.0))
NOTHING = -20.0


def found(
    logits: list[list[float]] | Float32Array,
    boxes: list[list[float]] | Float32Array,
    call: DetectCall,
    *,
    is_exclusive: bool = True,
    grid: ImageGrid = GRID,
) -> tuple[Detection, ...]:
    outputs = {"box_logits": np.array(logits, np.float32), "boxes": np.array(boxes, np.float32)}
    output = BoxesOutput(labels=LABELS, is_exclusive=is_exclusive, queries=len(logits))
    return find_objects(outputs, output, grid, call)


def test_a_query_finds_its_likeliest_label_unless_none_is_likelier() -> None:
    logits = [[3.0, 2.0, 0, 0, 0], [0.0, 0, 0, 0, 9.0]]
    (cat,) = found(logits, [[0.5, 0.5, 0.2, 0.4]] * 2, DetectCall(threshold=0.5))
    expected = np.exp(3.0) / (np.exp(3.0) + np.exp(2.0) + 3)
    assert cat.label == "cat"
    assert cat.score == pytest.approx(expected, abs=1e-6)
    assert cat.box == pytest.approx((80, 30, 120, 70))
    every = found(logits, [[0.5, 0.5, 0.2, 0.4]] * 2, DetectCall(threshold=0.0))
    assert [each.query for each in every] == [0, 1]  # one object a query, however low its score


def test_labels_choose_among_the_objects_that_the_call_finds_without_them() -> None:
    logits = [[3.0, 2.9, 0, 0, 0]]
    assert not found(logits, [[0.5, 0.5, 0.2, 0.2]], DetectCall(labels=("dog",), threshold=0.1))
    assert found(logits, [[0.5, 0.5, 0.2, 0.2]], DetectCall(labels=("cat",), threshold=0.1))


def test_labels_that_do_not_exclude_each_other_are_objects_each() -> None:
    both = found([[2.0, 1.0, NOTHING, NOTHING]], [[0.5, 0.5, 1, 1]], DetectCall(threshold=0.5), is_exclusive=False)
    assert [(each.label, each.query) for each in both] == [("cat", 0), ("dog", 0)]
    assert both[1].score == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-6)
    (best,) = found([[2.0, 1.0, 0, 0]], [[0.5, 0.5, 1, 1]], DetectCall(top_k=1), is_exclusive=False)
    assert best.label == "cat"


def test_boxes_are_those_of_the_picture_where_the_model_reads_more_or_less_of_it() -> None:
    fitted = ImageGrid(2, 2, 200, 100, (0.0, -50.0, 200.0, 150.0))
    (whole,) = found([[9.0, 0, 0, 0, 0]], [[0.5, 0.5, 1, 1]], DetectCall(), grid=fitted)
    assert whole.box == (0, 0, 200, 100)
    assert not found([[9.0, 0, 0, 0, 0]], [[0.5, 0.1, 0.2, 0.1]], DetectCall(), grid=fitted)  # in the border above
    cropped = ImageGrid(2, 2, 200, 100, (50.0, 0.0, 150.0, 100.0))
    (part,) = found([[9.0, 0, 0, 0, 0]], [[0.25, 0.5, 0.5, 0.5]], DetectCall(), grid=cropped)
    assert part.box == (50, 25, 100, 75)


@given(
    arrays(np.float32, (6, 5), elements=st.floats(-50, 50, width=32)),
    arrays(np.float32, (6, 4), elements=st.floats(0, 1, width=32)),
    st.floats(0, 1),
    st.integers(1, 30),
    st.booleans(),
)
def test_every_object_keeps_the_call_s_limits(
    logits: Float32Array, boxes: Float32Array, threshold: float, top_k: int, is_exclusive: bool
) -> None:
    call = DetectCall(threshold=threshold, top_k=top_k)
    objects = found(logits if is_exclusive else logits[:, :4], boxes, call, is_exclusive=is_exclusive)
    scores = [each.score for each in objects]
    assert scores == sorted(scores, reverse=True)
    assert len(objects) <= top_k
    assert all(np.float32(threshold) <= score <= 1 for score in scores)
    assert not is_exclusive or len({each.query for each in objects}) == len(objects)
    for each in objects:
        left, top, right, bottom = each.box
        assert 0 <= left < right <= GRID.image_width
        assert 0 <= top < bottom <= GRID.image_height


def test_overlaps_are_parts_of_the_union() -> None:
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [2, 0, 4, 2], [0, 0, 1, 1], [5, 5, 5, 5]], np.float32)
    np.testing.assert_allclose(overlaps(boxes, boxes[0]), [1, 1 / 3, 0, 1 / 4, 0])
    np.testing.assert_array_equal(overlaps(boxes, boxes[4]), 0)
