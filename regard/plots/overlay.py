"""A picture once per word of its caption, with what the word attended to laid over it."""

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

from regard.axes import Label
from regard.plots.fonts import families_for
from regard.plots.labels import as_labels, write_title
from regard.plots.theme import Theme, ThemeName, theme_named
from regard.requests import ImageLike, read_image
from regard.results import ImageGrid

_WIDTH = 1.9  # inches that a picture has
_CAPTION = 0.3
_GAP = 0.12
_MARGIN = 0.2
_TITLE = 0.35
_SHADE = 0.74  # how dark the picture gets where there is no attention
_MOST_PIXELS = 640  # of a picture's longer side: more cannot be seen at this size


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
    """Draws the picture once for each word, lit where the word's attention lay and dark elsewhere.

    Each map is laid exactly over the part of the picture that the model saw (`grid.box`), and scaled to its own
    largest weight.

    Args:
        picture: a path, the bytes of a file, or a Pillow image.
        weights: [words, source axis]; the axis is as long as the grid needs, or longer.
        words: the caption's words.
        smooth: whether to interpolate between the grid's regions; False shows them as they are.
        columns: pictures in a row.

    Raises:
        ValueError: the weights do not fit the words and the grid, or the picture is not the grid's.
    """
    colours = theme_named(theme)
    labels = as_labels(words)
    maps = on_grid(weights, len(labels), grid)
    pixels = read_pixels(picture, grid)
    sheet = _Sheet(len(labels), columns, grid.image_height / grid.image_width, _TITLE if title else 0.0)
    figure = Figure(figsize=(sheet.width, sheet.height), facecolor=colours.paper)
    families = families_for(label.text for label in labels)
    for index, (label, values) in enumerate(zip(labels, maps, strict=True)):
        draw_overlay(figure.add_axes(sheet.place(index)), pixels, values, grid, smooth=smooth)
        colour = colours.quiet if label.special else colours.ink
        x, y = sheet.place_of_word(index)
        figure.text(x, y, label.text, ha="center", fontsize=10, color=colour, family=families, parse_math=False)
    write_title(figure, title, _MARGIN, colours)
    return figure


@dataclass(frozen=True)
class _Sheet:
    """Where the pictures lie, row by row below the title. Sizes are in inches, places in shares of the sheet.

    Attributes:
        aspect: a picture's height over its width.
        title: the title's height.
    """

    num_pictures: int
    max_columns: int
    aspect: float
    title: float

    @property
    def columns(self) -> int:
        return min(self.max_columns, self.num_pictures)

    @property
    def width(self) -> float:
        return 2 * _MARGIN + self.columns * (_WIDTH + _GAP) - _GAP

    @property
    def height(self) -> float:
        rows = math.ceil(self.num_pictures / self.columns)
        return 2 * _MARGIN + self.title + rows * (_WIDTH * self.aspect + _CAPTION + _GAP) - _GAP

    def place(self, index: int) -> tuple[float, float, float, float]:
        """A picture's left, bottom, width and height."""
        row, column = divmod(index, self.columns)
        height = _WIDTH * self.aspect
        left = _MARGIN + column * (_WIDTH + _GAP)
        bottom = self.height - _MARGIN - self.title - (row + 1) * (height + _CAPTION) - row * _GAP
        return left / self.width, bottom / self.height, _WIDTH / self.width, height / self.height

    def place_of_word(self, index: int) -> tuple[float, float]:
        """The middle of the line that a picture's word stands on, above it."""
        left, bottom, width, height = self.place(index)
        return left + width / 2, bottom + height + 0.08 / self.height


def draw_overlay(
    axes: Axes, pixels: NDArray[np.uint8], values: NDArray[np.float32], grid: ImageGrid, *, smooth: bool
) -> None:
    """Draws a picture, [height, width, 3], and the shade of one map, [rows, columns], in the picture's coordinates."""
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
        interpolation="bilinear" if smooth else "nearest",
        resample=True,
    )
    for x, y, width, height in _unseen(grid):
        axes.add_patch(Rectangle((x, y), width, height, facecolor=(0, 0, 0, _SHADE), edgecolor="none"))
    axes.set_xlim(0, grid.image_width)
    axes.set_ylim(grid.image_height, 0)
    axes.set_axis_off()


def _unseen(grid: ImageGrid) -> Iterator[tuple[float, float, float, float]]:
    """The parts of the picture that the model did not see, as x, y, width and height: none if it was not cropped."""
    left, top, right, bottom = grid.box
    yield 0, 0, grid.image_width, max(top, 0)
    yield 0, bottom, grid.image_width, max(grid.image_height - bottom, 0)
    yield 0, max(top, 0), max(left, 0), bottom - max(top, 0)
    yield right, max(top, 0), max(grid.image_width - right, 0), bottom - max(top, 0)


def on_grid(weights: ArrayLike, num_words: int, grid: ImageGrid) -> NDArray[np.float32]:
    """The weights of the picture's regions, [words, rows, columns], of a map [words, source axis]."""
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
    """The picture as a person sees it, uint8 [height, width, 3], no larger than a small drawing needs.

    Raises:
        ValueError: it has another size than the picture that was captioned.
    """
    with Image.open(BytesIO(read_image(picture))) as opened:
        upright = ImageOps.exif_transpose(opened)
        if upright.size != (grid.image_width, grid.image_height):
            wanted = f"{grid.image_width} x {grid.image_height}"
            raise ValueError(f"the picture is {upright.width} x {upright.height}; the one captioned was {wanted}")
        upright.thumbnail((_MOST_PIXELS, _MOST_PIXELS))
        return np.asarray(upright.convert("RGB"), np.uint8)
