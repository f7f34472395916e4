"""The heatmap: source above, target at the left, one cell a weight."""

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

from regard.axes import Label
from regard.plots.labels import Ruler, Weights, as_labels, as_weights, write_title
from regard.plots.theme import Theme, ThemeName, theme_named

_MARGIN = 0.18  # inches around everything
_PAD = 0.07  # between labels and cells
_GAP = 0.35  # between panels
_BAR_GAP, _BAR_WIDTH, _BAR_LABEL, _BAR_LENGTH = 0.2, 0.09, 0.42, 1.4
_SLANT = math.radians(50)
_MOST_NUMBERS = 14  # columns and rows up to which cells show their percentage


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
        input_tokens: the source, above the columns.
        output_tokens: the target, at the left of the rows.
        largest: the weight that has the strongest colour; None: the largest there is.
        window: cells that a panel has at most each way; longer maps become several panels.

    Raises:
        ValueError: the weights do not fit the tokens.
    """
    colours = theme_named(theme)
    sources, targets = as_labels(input_tokens), as_labels(output_tokens)
    values = as_weights(weights, len(targets), len(sources))
    if window < 1:
        raise ValueError(f"window must be at least 1; it is {window}")
    sheet = _Sheet.laid_out(sources, targets, window, title)
    figure = Figure(figsize=(sheet.width, sheet.height), facecolor=colours.paper)
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
    """A part of the map and where its cells lie: inches from the sheet's lower left corner."""

    rows: slice
    columns: slice
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class _Sheet:
    """Where everything stands, in inches.

    Attributes:
        left, top: room for the labels of rows and columns; right: what slanted labels need beyond the last column.
        row_cuts, column_cuts: where panels begin and end.
    """

    cell: float
    font_size: float
    slanted: bool
    left: float
    top: float
    right: float
    title: float
    row_cuts: tuple[int, ...]
    column_cuts: tuple[int, ...]
    families: list[str]

    @classmethod
    def laid_out(cls, sources: Sequence[Label], targets: Sequence[Label], window: int, title: str | None) -> "_Sheet":
        longest = min(window, max(len(sources), len(targets)))
        cell, font_size = (0.5, 10.0) if longest <= 8 else (0.36, 9.0) if longest <= 20 else (0.25, 7.5)
        ruler = Ruler([*sources, *targets])
        widths = ruler.widths(sources, font_size)
        slanted = bool(widths.max() > cell - 0.05)
        line = font_size / 72
        longest_source = float(widths.max())
        return cls(
            cell=cell,
            font_size=font_size,
            slanted=slanted,
            left=float(ruler.widths(targets, font_size).max()) + _PAD,
            top=_PAD + (longest_source * math.sin(_SLANT) + line * math.cos(_SLANT) if slanted else 1.4 * line),
            right=max(0.0, longest_source * math.cos(_SLANT) - cell / 2) if slanted else 0.0,
            title=0.0 if title is None else 0.32,
            row_cuts=_cuts(len(targets), window),
            column_cuts=_cuts(len(sources), window),
            families=ruler.families,
        )

    @property
    def width(self) -> float:
        widest = max(sum(self._width(part) for part in line) + (len(line) - 1) * _GAP for _, line in self._lines())
        return 2 * _MARGIN + widest + max(self.right, _BAR_GAP + _BAR_WIDTH + _BAR_LABEL)

    @property
    def height(self) -> float:
        lines = [self._height(rows) for rows, _ in self._lines()]
        return 2 * _MARGIN + self.title + sum(lines) + (len(lines) - 1) * _GAP

    def panels(self) -> Iterator[_Panel]:
        y = self.height - _MARGIN - self.title
        for rows, line in self._lines():
            y -= self._height(rows)
            x = _MARGIN
            for columns in line:
                yield _Panel(rows, columns, x + self.left, y, self._cells(columns), self._cells(rows))
                x += self._width(columns) + _GAP
            y -= _GAP

    def _lines(self) -> list[tuple[slice, list[slice]]]:
        """Rows with the columns of the panels that stand side by side; those of a few rows stand below each other."""
        rows, columns = (
            list(itertools.starmap(slice, itertools.pairwise(c))) for c in (self.row_cuts, self.column_cuts)
        )
        if len(rows) == 1:
            return [(rows[0], [part]) for part in columns]
        return [(part, columns) for part in rows]

    def _width(self, columns: slice) -> float:
        return self.left + self._cells(columns)

    def _height(self, rows: slice) -> float:
        return self.top + self._cells(rows)

    def _cells(self, part: slice) -> float:
        num_cells: int = part.stop - part.start
        return num_cells * self.cell

    def fraction(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
        """A rectangle as matplotlib wants it: in shares of the sheet."""
        return x / self.width, y / self.height, width / self.width, height / self.height


def _cuts(length: int, window: int) -> tuple[int, ...]:
    """Cuts a length into as few windows as it takes, all about as long."""
    num_windows = math.ceil(length / window)
    return tuple(round(length * index / num_windows) for index in range(num_windows + 1))


def _draw_cells(axes: Axes, values: Weights, sheet: _Sheet, colours: Theme, vmax: float) -> None:
    num_rows, num_columns = values.shape
    axes.pcolormesh(
        values, cmap=colours.colormap, vmin=0, vmax=vmax, edgecolors=colours.paper, linewidth=2.2 * sheet.cell
    )
    axes.set_xlim(0, num_columns)
    axes.set_ylim(num_rows, 0)
    if max(num_rows, num_columns) <= _MOST_NUMBERS:
        for (row, column), weight in np.ndenumerate(values.astype(np.float64)):
            if weight >= 0.005:
                ink = _ink_on(colours.colormap(min(weight / vmax, 1.0)))
                axes.text(
                    column + 0.5, row + 0.5, f"{100 * weight:.0f}", ha="center", va="center", color=ink, fontsize=7.5
                )


def _ink_on(colour: Any) -> str:
    red, green, blue, _ = colour
    return "#10131a" if 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 > 0.22 else "#ffffff"


def _draw_labels(axes: Axes, sources: Sequence[Label], targets: Sequence[Label], sheet: _Sheet, colours: Theme) -> None:
    """Writes the labels as plain text: matplotlib's ticks take as long as all the rest of a picture."""
    axes.set_axis_off()
    pad = _PAD / sheet.cell
    above: dict[str, Any] = {"ha": "center", "va": "bottom", "gid": "source"}
    if sheet.slanted:
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
    """The scale: a thin bar at the right of the last panel, from 0 to the largest weight."""
    box = last.get_position()
    length = min(_BAR_LENGTH / sheet.height, box.height)
    bar = figure.add_axes((box.x1 + _BAR_GAP / sheet.width, box.y0, _BAR_WIDTH / sheet.width, length))
    bar.imshow(np.linspace(1, 0, 256)[:, None], cmap=colours.colormap, aspect="auto", extent=(0, 1, 0, vmax))
    bar.set_xticks([])
    bar.yaxis.set_major_locator(FixedLocator([0, vmax]))
    bar.set_yticks([0, vmax], ["0", f"{vmax:.2f}".rstrip("0").rstrip(".")])
    bar.yaxis.tick_right()
    bar.tick_params(length=0, colors=colours.quiet, labelsize=7.5)
    for spine in bar.spines.values():
        spine.set_visible(False)
