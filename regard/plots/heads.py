"""All heads of a map at a glance: a small heatmap a head, layers below each other."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from regard.plots.labels import write_title
from regard.plots.theme import Theme, ThemeName, theme_named

_MARGIN = 0.3  # inches
_SIDE = 1.25  # of the longer side of a small heatmap
_GAP = 0.12
_HEADER = 0.3
_LEFT = 0.35
_TITLE = 0.35
_SHORTEST = 0.4


def plot_heads(
    weights: ArrayLike,
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    *,
    theme: Theme | ThemeName = "light",
    title: str | None = None,
) -> Figure:
    """Draws a grid of heads by layers, all with the same scale from 0 to 1.

    Args:
        weights: [layers, heads, target, source].
        layers, heads: the numbers of the rows and columns; None counts from 0.

    Raises:
        ValueError: weights have another shape, or are not finite.
    """
    colours = theme_named(theme)
    values = np.asarray(weights, np.float32)
    if values.ndim != 4 or not values.size:
        raise ValueError(f"weights must be [layers, heads, target, source]; they are {list(values.shape)}")
    if not np.isfinite(values).all():
        raise ValueError("weights must be finite")
    num_layers, num_heads, num_targets, num_sources = values.shape
    layer_numbers, head_numbers = layers or range(num_layers), heads or range(num_heads)
    longest = max(num_targets, num_sources)
    cell_width, cell_height = (max(_SHORTEST, _SIDE * length / longest) for length in (num_sources, num_targets))
    title_height = 0.0 if title is None else _TITLE
    width = 2 * _MARGIN + _LEFT + num_heads * (cell_width + _GAP) - _GAP
    height = 2 * _MARGIN + title_height + _HEADER + num_layers * (cell_height + _GAP) - _GAP
    figure = Figure(figsize=(width, height), facecolor=colours.paper)
    top = height - _MARGIN - title_height
    for row, layer in enumerate(layer_numbers):
        y = top - _HEADER - (row + 1) * cell_height - row * _GAP
        label_y = (y + cell_height / 2) / height
        figure.text(
            (_MARGIN + 0.12) / width,
            label_y,
            f"layer {layer}",
            rotation=90,
            ha="center",
            va="center",
            fontsize=8,
            color=colours.quiet,
        )
        for column, head in enumerate(head_numbers):
            x = _MARGIN + _LEFT + column * (cell_width + _GAP)
            axes = figure.add_axes((x / width, y / height, cell_width / width, cell_height / height))
            axes.imshow(
                values[row, column], cmap=colours.colormap, vmin=0, vmax=1, aspect="auto", interpolation="nearest"
            )
            axes.set_axis_off()
            if row == 0:
                figure.text(
                    (x + cell_width / 2) / width,
                    (top - _HEADER / 2) / height,
                    f"head {head}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=colours.quiet,
                )
    write_title(figure, title, _MARGIN, colours)
    return figure
