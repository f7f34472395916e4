"""Captions: each word's map covers the grid's regions of the picture exactly."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from regard.plots import plot_caption
from regard.values.outputs import ImageGrid
from tests.unit.regard.plots.rendered import Rendered
from tests.unit.regard.sample_results import rows

SHADE = 0.74
WHITE = np.ones(3)
WHOLE = ImageGrid(2, 3, 0, 120, 80, (0.0, 0.0, 120.0, 80.0))
CROPPED = ImageGrid(2, 2, 1, 120, 80, (20.0, 0.0, 100.0, 80.0))


def white(width: int = 120, height: int = 80) -> Image.Image:
    return Image.new("RGB", (width, height), "white")


def one_region(grid: ImageGrid, row: int, column: int) -> np.ndarray:
    weights = np.zeros((1, grid.first_position + grid.rows * grid.columns), np.float32)
    weights[0, grid.first_position + row * grid.columns + column] = 0.5
    return weights


@pytest.mark.parametrize("grid", [WHOLE, CROPPED], ids=["whole", "cropped"])
def test_a_region_is_lit_to_its_edges_and_nothing_else(grid: ImageGrid) -> None:
    left, top, right, bottom = grid.box
    width, height = (right - left) / grid.columns, (bottom - top) / grid.rows
    for row in range(grid.rows):
        for column in range(grid.columns):
            figure = plot_caption(white(), one_region(grid, row, column), ["word"], grid, smooth=False)
            drawn, axes = Rendered(figure), figure.axes[0]
            for x, y in [(x, y) for x in range(5, 120, 8) for y in range(5, 80, 8)]:
                is_inside = (
                    left + column * width < x < left + (column + 1) * width and row * height < y < (row + 1) * height
                )
                np.testing.assert_allclose(drawn.at(axes, x, y), WHITE if is_inside else WHITE * (1 - SHADE), atol=0.02)


def test_a_padded_picture_is_drawn_without_its_padding() -> None:
    padded = ImageGrid(4, 4, 0, 120, 80, (0.0, -20.0, 120.0, 100.0))
    figure = plot_caption(white(), one_region(padded, 1, 0), ["word"], padded, smooth=False)
    drawn, axes = Rendered(figure), figure.axes[0]
    assert axes.get_xlim() == (0, 120)
    assert axes.get_ylim() == (80, 0)
    np.testing.assert_allclose(drawn.at(axes, 15, 20), WHITE, atol=0.02)  # row 1 is from 10 to 40
    np.testing.assert_allclose(drawn.at(axes, 15, 4), WHITE * (1 - SHADE), atol=0.02)


def test_interpolated_light_is_centred_on_its_region() -> None:
    figure = plot_caption(white(), one_region(WHOLE, 0, 1), ["word"], WHOLE)
    drawn, axes = Rendered(figure), figure.axes[0]
    light = {x: float(drawn.at(axes, x, 20).mean()) for x in range(2, 119, 4)}
    assert abs(max(light, key=lambda x: light[x]) - 60) <= 4


def test_the_picture_is_drawn_once_for_each_word() -> None:
    figure = plot_caption(white(), rows(7, 6), "a b c d e f g".split(), WHOLE, title="seven")
    assert len(figure.axes) == 7
    assert {text.get_text() for text in figure.texts} == {*"abcdefg", "seven"}


def test_the_pictures_orientation_is_applied() -> None:
    file = BytesIO()
    sideways = Image.new("RGB", (80, 120))
    sideways.paste("white", (0, 0, 80, 60))  # the upper half of the file is the right half of the upright picture
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways.save(file, "PNG", exif=exif)
    figure = plot_caption(file.getvalue(), np.ones((1, 6)), ["word"], WHOLE)
    drawn, axes = Rendered(figure), figure.axes[0]
    assert drawn.at(axes, 90, 40).mean() > 0.9
    assert drawn.at(axes, 30, 40).mean() < 0.1


def test_a_picture_or_weights_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="60 x 80"):
        plot_caption(white(60, 80), rows(1, 6), ["word"], WHOLE)
    with pytest.raises(ValueError, match="at least 6"):
        plot_caption(white(), rows(1, 5), ["word"], WHOLE)
    with pytest.raises(ValueError, match="no words"):
        plot_caption(white(), np.zeros((0, 6)), [], WHOLE)


@pytest.mark.parametrize(("width", "height"), [(1, 3000), (3000, 1), (1, 1), (640, 480), (480, 640)])
def test_a_picture_of_any_shape_has_a_figure_of_bounded_size(width: int, height: int) -> None:
    grid = ImageGrid(2, 2, 0, width, height, (0.0, 0.0, float(width), float(height)))
    figure = plot_caption(white(width, height), np.full((7, 4), 0.25, np.float32), ["word"] * 7, grid)
    assert max(figure.get_size_inches()) < 12
    box = figure.axes[0].get_position()
    shown = box.width * figure.get_figwidth() / (box.height * figure.get_figheight())
    assert shown == pytest.approx(width / height) or max(width, height) == 3000  # a line of pixels is drawn thicker
