"""A picture once for each word of its caption, lit where the word attended to it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageOps

from regard.arrays import Float32Array
from regard.plots.figure import ShownFigure
from regard.plots.fonts import families_for
from regard.plots.inputs import as_labels
from regard.plots.text import write_title
from regard.plots.theme import Theme, ThemeName, theme_named
from regard.values.labels import Label
from regard.values.outputs import ImageGrid
from regard.wire.images import ImageLike, read_image

# Sizes in inches.
_PICTURE_WIDTH = 1.9  # the largest
_PICTURE_HEIGHT = 3.8  # the largest
_MIN_SIDE = 0.1  # of a picture of which one side is a fraction of the other
_WORD_HEIGHT = 0.3  # of the line above a picture
_GAP = 0.12  # between pictures
_MARGIN = 0.2
_TITLE_HEIGHT = 0.35

_SHADE = 0.74  # opacity of the shade where the weight is 0
_MAX_PIXELS = 640  # of a picture's longer side; a figure of this size shows no more


def plot_caption(
    picture: ImageLike,
    weights: ArrayLike,
    words: Sequence[str | Label],
    grid: ImageGrid,
    *,
    theme: Theme | ThemeName = "light",
    title: str | None = None,
    smooth: bool = True,
    columns: int = 5,
) -> Figure:
    """Draws the picture once for each word, lit where the word attended to it and dark elsewhere.

    Each map covers exactly the part of the picture that the model saw (`grid.box`), and is scaled to its own largest
    weight.

    Args:
        picture: a path, the bytes of a file, or a Pillow image.
        weights: [words, source axis]; the source axis has at least as many positions as the grid.
        words: the caption's words.
        smooth: interpolates between the grid's regions; False draws each with one shade.
        columns: most pictures in a row.

    Raises:
        ValueError: the weights' shape does not match the words and the grid, or the picture has
            another size than the one that was captioned.
    """
    colours = theme_named(theme)
    labels = as_labels(words)
    maps = on_grid(weights, len(labels), grid)
    pixels = read_pixels(picture, grid)
    size = shown_size(grid, _PICTURE_WIDTH, _PICTURE_HEIGHT)
    sheet = _Sheet(len(labels), columns, *size, _TITLE_HEIGHT if title else 0.0)
    figure = ShownFigure(figsize=(sheet.width, sheet.height), facecolor=colours.paper)
    families = families_for(label.text for label in labels)
    for index, (label, values) in enumerate(zip(labels, maps, strict=True)):
        draw_overlay(figure.add_axes(sheet.picture_box(index)), pixels, values, grid, is_smooth=smooth)
        colour = colours.quiet if label.special else colours.ink
        x, y = sheet.word_position(index)
        figure.text(x, y, label.text, ha="center", fontsize=10, color=colour, family=families, parse_math=False)
    write_title(figure, title, _MARGIN, colours)
    return figure


@dataclass(frozen=True)
class _Sheet:
    """The layout, row by row below the title: sizes in inches, positions as fractions of the figure.

    Attributes:
        picture_width, picture_height: of each picture, in the middle of a cell that is as wide as the widest picture.
        title_height: 0 without a title.
    """

    num_pictures: int
    max_columns: int
    picture_width: float
    picture_height: float
    title_height: float

    @property
    def columns(self) -> int:
        return min(self.max_columns, self.num_pictures)

    @property
    def width(self) -> float:
        return 2 * _MARGIN + self.columns * (_PICTURE_WIDTH + _GAP) - _GAP

    @property
    def height(self) -> float:
        rows = math.ceil(self.num_pictures / self.columns)
        return 2 * _MARGIN + self.title_height + rows * (self.picture_height + _WORD_HEIGHT + _GAP) - _GAP

    def picture_box(self, index: int) -> tuple[float, float, float, float]:
        """A picture's left, bottom, width and height."""
        row, column = divmod(index, self.columns)
        width, height = self.picture_width, self.picture_height
        left = _MARGIN + column * (_PICTURE_WIDTH + _GAP) + (_PICTURE_WIDTH - width) / 2
        bottom = self.height - _MARGIN - self.title_height - (row + 1) * (height + _WORD_HEIGHT) - row * _GAP
        return left / self.width, bottom / self.height, width / self.width, height / self.height

    def word_position(self, index: int) -> tuple[float, float]:
        """The middle of the baseline of a picture's word, above the picture."""
        left, bottom, width, height = self.picture_box(index)
        return left + width / 2, bottom + height + 0.08 / self.height


def shown_size(grid: ImageGrid, max_width: float, max_height: float) -> tuple[float, float]:
    """Returns the width and height of a picture, in inches, so that it fits; a picture of 1 x 3000 pixels too."""
    scale = min(max_width / grid.image_width, max_height / grid.image_height)
    return max(_MIN_SIDE, grid.image_width * scale), max(_MIN_SIDE, grid.image_height * scale)


def draw_overlay(
    axes: Axes, pixels: NDArray[np.uint8], values: Float32Array, grid: ImageGrid, *, is_smooth: bool
) -> None:
    """Draws a picture and, over it, the shade of one map, in the picture's coordinates.

    Args:
        pixels: uint8 [height, width, 3].
        values: float32 [rows, columns], the weights of the grid's regions.
        is_smooth: interpolates between the regions.
    """
    extent = (0, grid.image_width, grid.image_height, 0)
    axes.imshow(pixels, extent=extent, aspect="auto", interpolation="antialiased")
    left, top, right, bottom = grid.box
    largest = float(values.max())
    lit = values / largest if largest > 0 else values
    shade = np.zeros((*values.shape, 4), np.float32)
    shade[..., 3] = _SHADE * (1 - lit)
    axes.imshow(
        shade,
        extent=(left, right, bottom, top),
        aspect="auto",
        interpolation="bilinear" if is_smooth else "nearest",
        resample=True,
    )
    for x, y, width, height in _unseen(grid):
        axes.add_patch(Rectangle((x, y), width, height, facecolor=(0, 0, 0, _SHADE), edgecolor="none"))
    axes.set_xlim(0, grid.image_width)
    axes.set_ylim(grid.image_height, 0)
    axes.set_axis_off()


def _unseen(grid: ImageGrid) -> Iterator[tuple[float, float, float, float]]:
    """Yields x, y, width and height of the parts of the picture that the model did not see; some may be empty."""
    left, top, right, bottom = grid.box
    yield 0, 0, grid.image_width, max(top, 0)
    yield 0, bottom, grid.image_width, max(grid.image_height - bottom, 0)
    yield 0, max(top, 0), max(left, 0), bottom - max(top, 0)
    yield right, max(top, 0), max(grid.image_width - right, 0), bottom - max(top, 0)


def on_grid(weights: ArrayLike, num_words: int, grid: ImageGrid) -> Float32Array:
    """The weights of the picture's regions: float32 [words, rows, columns], from weights [words, source axis]."""
    values = np.asarray(weights, np.float32)
    num_regions = grid.rows * grid.columns
    end = grid.first_position + num_regions
    if values.ndim != 2 or len(values) != num_words or values.shape[1] < end:
        raise ValueError(f"weights are {list(values.shape)}; they must be [{num_words}, at least {end}]")
    if not num_words:
        raise ValueError("there is nothing to draw: no words")
    if not np.isfinite(values).all():
        raise ValueError("weights must be finite")
    return values[:, grid.first_position : end].reshape(num_words, grid.rows, grid.columns)


def read_pixels(picture: ImageLike, grid: ImageGrid) -> NDArray[np.uint8]:
    """The picture's pixels, upright and scaled down to what the figure can show: uint8 [height, width, 3].

    Raises:
        ValueError: the picture has another size than the one that was sent.
    """
    with Image.open(BytesIO(read_image(picture))) as opened:
        upright = ImageOps.exif_transpose(opened)
        if upright.size != (grid.image_width, grid.image_height):
            sent = f"{grid.image_width} x {grid.image_height}"
            raise ValueError(f"the picture is {upright.width} x {upright.height}; the one that was sent is {sent}")
        upright.thumbnail((_MAX_PIXELS, _MAX_PIXELS))
        return np.asarray(upright.convert("RGB"), np.uint8)
