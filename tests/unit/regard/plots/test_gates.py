"""The gates of a picture: of positions over the picture, of channels as a heatmap."""

from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from regard.calls.results import ClassifyResult
from regard.plots import GatePlotOptions, plot_gates
from regard.v1 import regard_pb2 as pb
from tests.unit.regard.sample_results import message_map

PICTURE = Image.new("RGB", (120, 80), "white")


def result_of(*kinds: pb.AttentionKind.ValueType) -> ClassifyResult:
    """A result with two layers of gates, of 4 channels or over a grid of 2 x 3."""
    message = pb.ClassifyResult()
    grid = message.input.image_grid
    grid.rows, grid.columns, grid.image_width, grid.image_height = 2, 3, 120, 80
    grid.box.right, grid.box.bottom = 120, 80
    for kind in kinds:
        width = 4 if kind == pb.ATTENTION_KIND_CHANNEL else 6
        values = np.linspace(0, 1, 2 * width, dtype=np.float32).reshape(2, width)
        message.input.attention.append(message_map(kind, values, layers=[0, 3]))
    return ClassifyResult.from_message(message)


def test_gates_of_positions_lie_over_the_picture_once_for_each_layer() -> None:
    result = result_of(pb.ATTENTION_KIND_CHANNEL, pb.ATTENTION_KIND_SPATIAL)
    figure = result.plot(PICTURE, title="a digit")
    assert [text.get_text() for text in figure.texts] == ["layer 0", "layer 3", "a digit"]
    assert len(figure.axes) == 2


def test_gates_of_channels_are_a_heatmap_with_a_row_for_each_layer() -> None:
    figure = result_of(pb.ATTENTION_KIND_CHANNEL).plot()
    cells = figure.axes[0]
    drawn: Any = cells.collections[0]
    np.testing.assert_allclose(np.asarray(drawn.get_array()).reshape(2, 4), np.linspace(0, 1, 8).reshape(2, 4))
    assert drawn.get_clim() == (0.0, 1.0)


def test_what_cannot_be_drawn_is_said() -> None:
    result = result_of(pb.ATTENTION_KIND_SPATIAL)
    with pytest.raises(ValueError, match="no map of the kind 'channel'; the call has to set attention='channel'"):
        result.plot(kind="channel")
    with pytest.raises(ValueError, match="no map of the kind 'spatial' or 'channel'"):
        result_of().plot()
    with pytest.raises(ValueError, match="needs the picture that was sent"):
        result.plot()
    with pytest.raises(TypeError, match="did you mean 'kind'"):
        plot_gates(result, PICTURE, **cast(GatePlotOptions, {"kinds": "spatial"}))
