"""All heads of a map at a glance: a small heatmap for each head, a row for each layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from regard.plots.figure import ShownFigure
from regard.plots.text import write_title
from regard.plots.theme import Theme, ThemeName, theme_named

# Sizes in inches.
_MARGIN = 0.3
_LONGER_SIDE = 1.25  # of a heatmap
_MIN_SIDE = 0.4
_GAP = 0.12  # between heatmaps
_HEADER_HEIGHT = 0.3  # the line of head labels
_LABEL_WIDTH = 0.35  # the column of layer labels
_TITLE_HEIGHT = 0.35


def plot_heads(
    weights: ArrayLike,
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    *,
    theme: Theme | ThemeName = "light",
    title: str | None = None,
) -> Figure:
    """Draws a grid of heatmaps, layers by heads, all on the same scale from 0 to 1.

    Args:
        weights: [layers, heads, target, source].
        layers, heads: the labels of the rows and columns; None counts from 0.

    Raises:
        ValueError: the weights have another shape, or are not finite.
    """
    colours = theme_named(theme)
    values = np.asarray(weights, np.float32)
    if values.ndim != 4 or not values.size:
        raise ValueError(f"weights must be [layers, heads, target, source]; they are {list(values.shape)}")
    if not np.isfinite(values).all():
        raise ValueError("weights must be finite")
    sheet = _Sheet.layout(values.shape, title)
    figure = ShownFigure(figsize=(sheet.width, sheet.height), facecolor=colours.paper)
    for row, column in np.ndindex(sheet.num_layers, sheet.num_heads):
        axes = figure.add_axes(sheet.map_box(row, column))
        axes.imshow(values[row, column], cmap=colours.colormap, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axes.set_axis_off()
    quiet: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8, "color": colours.quiet}
    for row, layer in enumerate(layers or range(sheet.num_layers)):
        figure.text(*sheet.layer_label_at(row), f"layer {layer}", rotation=90, **quiet)
    for column, head in enumerate(heads or range(sheet.num_heads)):
        figure.text(*sheet.head_label_at(column), f"head {head}", **quiet)
    write_title(figure, title, _MARGIN, colours)
    return figure


@dataclass(frozen=True)
class _Sheet:
    """The layout: sizes in inches, positions as fractions of the figure from its lower left corner.

    Attributes:
        cell_width, cell_height: of a heatmap.
        title_height: 0 without a title.
    """

    num_layers: int
    num_heads: int
    cell_width: float
    cell_height: float
    title_height: float

    @classmethod
    def layout(cls, shape: Sequence[int], title: str | None) -> "_Sheet":
        num_layers, num_heads, num_targets, num_sources = shape
        longest = max(num_targets, num_sources)
        width, height = (max(_MIN_SIDE, _LONGER_SIDE * length / longest) for length in (num_sources, num_targets))
        return cls(num_layers, num_heads, width, height, 0.0 if title is None else _TITLE_HEIGHT)

    @property
    def width(self) -> float:
        return 2 * _MARGIN + _LABEL_WIDTH + self.num_heads * (self.cell_width + _GAP) - _GAP

    @property
    def height(self) -> float:
        return 2 * _MARGIN + self.title_height + _HEADER_HEIGHT + self.num_layers * (self.cell_height + _GAP) - _GAP

    def map_box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a heatmap."""
        left, bottom = self._left(column) / self.width, self._bottom(row) / self.height
        return left, bottom, self.cell_width / self.width, self.cell_height / self.height

    def layer_label_at(self, row: int) -> tuple[float, float]:
        return (_MARGIN + _LABEL_WIDTH / 3) / self.width, (self._bottom(row) + self.cell_height / 2) / self.height

    def head_label_at(self, column: int) -> tuple[float, float]:
        top = self.height - _MARGIN - self.title_height
        return (self._left(column) + self.cell_width / 2) / self.width, (top - _HEADER_HEIGHT / 2) / self.height

    def _left(self, column: int) -> float:
        return _MARGIN + _LABEL_WIDTH + column * (self.cell_width + _GAP)

    def _bottom(self, row: int) -> float:
        top = self.height - _MARGIN - self.title_height - _HEADER_HEIGHT
        return top - (row + 1) * self.cell_height - row * _GAP
