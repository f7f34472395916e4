"""Objects: each has its box and its map over the picture."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from PIL import Image

from regard.arrays import Float32Array
from regard.plots import plot_detections
from regard.v1 import regard_pb2 as pb
from regard.values.detections import DetectResult

BOXES = [(10.0, 20.0, 60.0, 70.0), (0.0, 0.0, 120.0, 80.0)]
PICTURE = Image.new("RGB", (120, 80), "white")


def result_of(weights: Float32Array, *, has_map: bool = True) -> DetectResult:
    """A result with as many objects as rows of weights, over a grid of 2 x 3."""
    message = pb.DetectResult()
    grid = message.input.image_grid
    grid.rows, grid.columns, grid.image_width, grid.image_height = 2, 3, 120, 80
    grid.box.right, grid.box.bottom = 120, 80
    for index in range(len(weights)):
        found = message.detections.add(label="cat", score=0.75, query=index)
        found.box.left, found.box.top, found.box.right, found.box.bottom = BOXES[index]
    if has_map:
        drawn = message.input.attention.add(
            kind=pb.ATTENTION_KIND_ALIGNMENT, shape=weights.shape, encoding=pb.ENCODING_FLOAT32
        )
        drawn.data = weights.astype("<f4").tobytes()
    return DetectResult.from_message(message)


def test_each_object_has_a_picture_with_its_box() -> None:
    weights = np.eye(2, 6, dtype=np.float32)
    figure = plot_detections(PICTURE, result_of(weights), title="two cats")
    assert [text.get_text() for text in figure.texts][:2] == ["cat 0.75", "cat 0.75"]
    for axes, (left, top, right, bottom) in zip(figure.axes, BOXES, strict=True):
        (box,) = [patch for patch in axes.patches if isinstance(patch, Rectangle) and not patch.get_fill()]
        assert box.get_bbox().bounds == (left, top, right - left, bottom - top)


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(ValueError, match="no object was found"):
        plot_detections(PICTURE, result_of(np.zeros((0, 6), np.float32)))
    with pytest.raises(ValueError, match="asks for no alignment"):
        plot_detections(PICTURE, result_of(np.zeros((1, 6), np.float32), has_map=False))
