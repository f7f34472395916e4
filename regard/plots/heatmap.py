"""The heatmap: source above, target at the left, one cell for each weight."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator
from numpy.typing import ArrayLike

from regard.arrays import Float32Array
from regard.plots.figure import ShownFigure
from regard.plots.inputs import as_labels, as_weights
from regard.plots.text import Ruler, write_title
from regard.plots.theme import Theme, ThemeName, theme_named
from regard.values.labels import Label

# Sizes in inches.
_MARGIN = 0.18  # of the figure
_LABEL_GAP = 0.07  # between labels and cells
_PANEL_GAP = 0.35
_TITLE_HEIGHT = 0.32
_BAR_GAP, _BAR_WIDTH, _BAR_LABEL_WIDTH, _MAX_BAR_HEIGHT = 0.2, 0.09, 0.42, 1.4

_SLANT = math.radians(50)
_MAX_CELLS_WITH_NUMBERS = 14  # rows and columns up to which cells show their percentage
_MIN_NUMBERED_WEIGHT = 0.005  # smaller weights would round to 0 %


def plot_attention_weights(
    weights: ArrayLike,
    input_tokens: Sequence[str | Label],
    output_tokens: Sequence[str | Label],
    *,
    theme: Theme | ThemeName = "light",
    title: str | None = None,
    largest: float | None = None,
    window: int = 40,
) -> Figure:
    """Draws weights as a heatmap with tokens.

    Args:
        weights: [output tokens, input tokens].
        input_tokens: the source: labels of the columns.
        output_tokens: the target: labels of the rows.
        largest: the weight of the strongest colour; None is the largest of these weights.
        window: most rows and columns of a panel; a larger map is split into several panels. Panels without any weight,
            between different segments of a text, are left out.

    Raises:
        ValueError: the weights' shape does not match the tokens, or they are not finite.
    """
    colours = theme_named(theme)
    sources, targets = as_labels(input_tokens), as_labels(output_tokens)
    values = as_weights(weights, len(targets), len(sources))
    if window < 1:
        raise ValueError(f"window must be at least 1; it is {window}")
    sheet = _Sheet.layout(sources, targets, values, window, title)
    figure = ShownFigure(figsize=(sheet.width, sheet.height), facecolor=colours.paper)
    vmax = largest if largest is not None else float(values.max()) or 1.0
    axes = None
    for panel in sheet.panels():
        axes = figure.add_axes(sheet.fraction(panel.x, panel.y, panel.width, panel.height))
        _draw_cells(axes, values[panel.rows, panel.columns], sheet, colours, vmax)
        _draw_labels(axes, sources[panel.columns], targets[panel.rows], sheet, colours)
    if axes is not None:
        _draw_bar(figure, axes, sheet, colours, vmax)
    write_title(figure, title, _MARGIN, colours)
    return figure


@dataclass(frozen=True)
class _Panel:
    """A part of the map; its cells' rectangle in inches from the figure's lower left corner."""

    rows: slice
    columns: slice
    x: float
    y: float
    width: float
    height: float


_Line = tuple[slice, list[slice]]
"""The rows of a line of panels, and the columns of each panel."""


@dataclass(frozen=True)
class _Sheet:
    """The layout, in inches.

    Attributes:
        cell: a cell's side.
        font_size: of labels, in points.
        is_slanted: whether the column labels are, because they are wider than a cell.
        left, top: room for the labels of rows and columns.
        right: room for slanted labels beyond the last column.
        title_height: 0 without a title.
        lines: the lines of panels: their rows, and each panel's columns.
        families: font families of the labels.
    """

    cell: float
    font_size: float
    is_slanted: bool
    left: float
    top: float
    right: float
    title_height: float
    lines: Sequence[_Line]
    families: list[str]

    @classmethod
    def layout(
        cls, sources: Sequence[Label], targets: Sequence[Label], values: Float32Array, window: int, title: str | None
    ) -> "_Sheet":
        longest = min(window, max(len(sources), len(targets)))
        cell, font_size = (0.5, 10.0) if longest <= 8 else (0.36, 9.0) if longest <= 20 else (0.25, 7.5)
        ruler = Ruler([*sources, *targets])
        widths = ruler.widths(sources, font_size)
        is_slanted = bool(widths.max() > cell - 0.05)
        line = font_size / 72  # inches
        longest_source = float(widths.max())
        slanted_height = longest_source * math.sin(_SLANT) + line * math.cos(_SLANT)
        return cls(
            cell=cell,
            font_size=font_size,
            is_slanted=is_slanted,
            left=float(ruler.widths(targets, font_size).max()) + _LABEL_GAP,
            top=_LABEL_GAP + (slanted_height if is_slanted else 1.4 * line),
            right=max(0.0, longest_source * math.cos(_SLANT) - cell / 2) if is_slanted else 0.0,
            title_height=0.0 if title is None else _TITLE_HEIGHT,
            lines=_lines(values, window),
            families=ruler.families,
        )

    @property
    def width(self) -> float:
        widest = max(sum(self._width(part) for part in line) + (len(line) - 1) * _PANEL_GAP for _, line in self.lines)
        return 2 * _MARGIN + widest + max(self.right, _BAR_GAP + _BAR_WIDTH + _BAR_LABEL_WIDTH)

    @property
    def height(self) -> float:
        lines = [self._height(rows) for rows, _ in self.lines]
        return 2 * _MARGIN + self.title_height + sum(lines) + (len(lines) - 1) * _PANEL_GAP

    def panels(self) -> Iterator[_Panel]:
        y = self.height - _MARGIN - self.title_height
        for rows, line in self.lines:
            y -= self._height(rows)
            x = _MARGIN
            for columns in line:
                yield _Panel(rows, columns, x + self.left, y, self._cells(columns), self._cells(rows))
                x += self._width(columns) + _PANEL_GAP
            y -= _PANEL_GAP

    def _width(self, columns: slice) -> float:
        return self.left + self._cells(columns)

    def _height(self, rows: slice) -> float:
        return self.top + self._cells(rows)

    def _cells(self, part: slice) -> float:
        num_cells: int = part.stop - part.start
        return num_cells * self.cell

    def fraction(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
        """A rectangle in fractions of the figure, as matplotlib expects it."""
        return x / self.width, y / self.height, width / self.width, height / self.height


def _lines(values: Float32Array, window: int) -> list[_Line]:
    """Returns the lines of panels, without those that hold no weight. With one range of rows, a line has one panel."""
    rows, columns = ([slice(*ends) for ends in itertools.pairwise(_cuts(n, window))] for n in values.shape)
    if len(rows) == 1:
        return [(rows[0], [part]) for part in _weighted(values, columns)]
    return [(part, _weighted(values[part], columns)) for part in rows]


def _weighted(values: Float32Array, columns: list[slice]) -> list[slice]:
    """Returns the ranges of columns that hold weights; the first one if none does."""
    return [part for part in columns if values[:, part].any()] or columns[:1]


def _cuts(length: int, window: int) -> tuple[int, ...]:
    """The cuts that divide a length into the fewest windows, all about equally long."""
    num_windows = math.ceil(length / window)
    return tuple(round(length * index / num_windows) for index in range(num_windows + 1))


def _draw_cells(axes: Axes, values: Float32Array, sheet: _Sheet, colours: Theme, vmax: float) -> None:
    num_rows, num_columns = values.shape
    axes.pcolormesh(
        values, cmap=colours.colormap, vmin=0, vmax=vmax, edgecolors=colours.paper, linewidth=2.2 * sheet.cell
    )
    axes.set_xlim(0, num_columns)
    axes.set_ylim(num_rows, 0)
    if max(num_rows, num_columns) <= _MAX_CELLS_WITH_NUMBERS:
        for (row, column), weight in np.ndenumerate(values.astype(np.float64)):
            if weight >= _MIN_NUMBERED_WEIGHT:
                ink = _ink_on(colours.colormap(min(weight / vmax, 1.0)))
                axes.text(
                    column + 0.5, row + 0.5, f"{100 * weight:.0f}", ha="center", va="center", color=ink, fontsize=7.5
                )


def _ink_on(colour: Any) -> str:
    red, green, blue, _ = colour
    return "#10131a" if 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 > 0.22 else "#ffffff"


def _draw_labels(axes: Axes, sources: Sequence[Label], targets: Sequence[Label], sheet: _Sheet, colours: Theme) -> None:
    """Writes the labels as plain text: matplotlib's ticks would take as long as the rest of the figure."""
    axes.set_axis_off()
    pad = _LABEL_GAP / sheet.cell
    above: dict[str, Any] = {"ha": "center", "va": "bottom", "gid": "source"}
    if sheet.is_slanted:
        above |= {"rotation": math.degrees(_SLANT), "ha": "left", "rotation_mode": "anchor"}
    beside = {"ha": "right", "va": "center", "gid": "target"}
    places = [(column + 0.5, -pad, label, above) for column, label in enumerate(sources)]
    places += [(-pad, row + 0.5, label, beside) for row, label in enumerate(targets)]
    for x, y, label, alignment in places:
        axes.text(
            x,
            y,
            label.text,
            color=colours.quiet if label.special else colours.ink,
            fontsize=sheet.font_size,
            family=sheet.families,
            parse_math=False,
            **alignment,
        )


def _draw_bar(figure: Figure, last: Axes, sheet: _Sheet, colours: Theme, vmax: float) -> None:
    """Draws the scale: a thin bar at the right of the last panel, from 0 to the largest weight."""
    box = last.get_position()
    length = min(_MAX_BAR_HEIGHT / sheet.height, box.height)
    bar = figure.add_axes((box.x1 + _BAR_GAP / sheet.width, box.y0, _BAR_WIDTH / sheet.width, length))
    bar.imshow(np.linspace(1, 0, 256)[:, None], cmap=colours.colormap, aspect="auto", extent=(0, 1, 0, vmax))
    bar.set_xticks([])
    bar.yaxis.set_major_locator(FixedLocator([0, vmax]))
    bar.set_yticks([0, vmax], ["0", f"{vmax:.2f}".rstrip("0").rstrip(".")])
    bar.yaxis.tick_right()
    bar.tick_params(length=0, colors=colours.quiet, labelsize=7.5)
    for spine in bar.spines.values():
        spine.set_visible(False)
