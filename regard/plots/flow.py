"""The flow: source above, target below, a line for each weight, whose thickness shows the weight."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import ArrayLike, NDArray

from regard.arrays import Float32Array
from regard.plots.figure import ShownFigure
from regard.plots.inputs import as_labels, as_weights
from regard.plots.text import Ruler, is_right_to_left, write_title
from regard.plots.theme import Theme, ThemeName, theme_named
from regard.values.labels import Label

_FONT_SIZE = 10.5  # points
_MAX_THICKNESS = 5.0  # points, added to that of the thinnest line

# Sizes in inches.
_MARGIN = 0.25
_WORD_GAP = 0.13
_CURVE_HEIGHT = 1.25  # from the line of source words to the line of target words
_LINE_HEIGHT = 0.24  # of a line of words
_PANEL_GAP = 0.3
_TITLE_HEIGHT = 0.35
_ASCENT = 0.75 * _FONT_SIZE / 72  # of a capital letter
_CURVE_GAP = 0.07  # between words and curves

_ELLIPSIS = Label("…", special=True)  # source words without a line


def plot_attention_flow(
    weights: ArrayLike,
    input_tokens: Sequence[str | Label],
    output_tokens: Sequence[str | Label],
    *,
    threshold: float = 0.1,
    theme: Theme | ThemeName = "light",
    title: str | None = None,
    largest_width: float = 11.0,
) -> Figure:
    """Draws weights as lines from the source words, above, to the target words, below.

    Words of a right-to-left language are set right to left. A target wider than the figure is split into panels. If the
    source is wider too, each panel has only the source words that its lines reach, and "…" for the others.

    Args:
        weights: [output tokens, input tokens].
        threshold: smaller weights have no line.
        largest_width: most width of the figure, in inches.

    Raises:
        ValueError: the weights' shape does not match the tokens, or they are not finite.
    """
    colours = theme_named(theme)
    sources, targets = as_labels(input_tokens), as_labels(output_tokens)
    values = as_weights(weights, len(targets), len(sources))
    ruler = Ruler([*sources, *targets, _ELLIPSIS])
    room = largest_width - 2 * _MARGIN
    panels = [_panel(values, sources, targets, rows, threshold, ruler, room) for rows in _rows(targets, ruler, room)]
    width = max(panel.width for panel in panels) + 2 * _MARGIN
    panel_height = _CURVE_HEIGHT + 2 * _LINE_HEIGHT
    title_height = 0.0 if title is None else _TITLE_HEIGHT
    height = 2 * _MARGIN + title_height + len(panels) * (panel_height + _PANEL_GAP) - _PANEL_GAP
    figure = ShownFigure(figsize=(width, height), facecolor=colours.paper)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height), facecolor=colours.paper)
    axes.axis("off")
    write_title(figure, title, _MARGIN, colours)
    top = height - _MARGIN - title_height
    for number, panel in enumerate(panels):
        _draw_panel(axes, panel, width / 2, top - number * (panel_height + _PANEL_GAP), colours, ruler.families)
    return figure


@dataclass(frozen=True)
class _Line:
    """A line of words; `centres` are the words' middles in inches from the middle of the line, float64 [words]."""

    labels: list[Label]
    centres: NDArray[np.float64]
    width: float


@dataclass(frozen=True)
class _Panel:
    """A part of the target, with the source words that its lines reach.

    Attributes:
        weights: float32 [target, source], of the words of this panel; 0 below the threshold and for "…".
    """

    source: _Line
    target: _Line
    weights: Float32Array

    @property
    def width(self) -> float:
        return max(self.source.width, self.target.width)


def _rows(targets: Sequence[Label], ruler: Ruler, room: float) -> list[range]:
    """Splits the target into lines that fit into `room` inches; at least one word each."""
    cuts, used = [0], 0.0
    for index, width in enumerate(ruler.widths(targets, _FONT_SIZE)):
        if index > cuts[-1] and used + width > room:
            cuts.append(index)
            used = 0.0
        used += float(width) + _WORD_GAP
    return [range(first, end) for first, end in zip(cuts, [*cuts[1:], len(targets)], strict=True)]


def _panel(
    values: Float32Array,
    sources: Sequence[Label],
    targets: Sequence[Label],
    rows: range,
    threshold: float,
    ruler: Ruler,
    room: float,
) -> _Panel:
    kept = np.where(values[rows.start : rows.stop] >= threshold, values[rows.start : rows.stop], 0)
    target = _set_line([targets[row] for row in rows], ruler)
    source = _set_line(sources, ruler)
    if source.width <= room:
        return _Panel(source, target, kept)
    labels, columns = _reached(sources, kept)
    weights = np.where(columns >= 0, kept[:, columns], 0).astype(np.float32)
    return _Panel(_set_line(labels, ruler), target, weights)


def _reached(sources: Sequence[Label], kept: Float32Array) -> tuple[list[Label], NDArray[np.intp]]:
    """The source words with a line, "…" for the words between them, and their columns, int [words], -1 for "…"."""
    labels: list[Label] = []
    columns: list[int] = []
    for column, label in enumerate(sources):
        if kept[:, column].any():
            labels.append(label)
            columns.append(column)
        elif not columns or columns[-1] >= 0:
            labels.append(_ELLIPSIS)
            columns.append(-1)
    return labels, np.array(columns, np.intp)


def _set_line(labels: Sequence[Label], ruler: Ruler) -> _Line:
    widths = ruler.widths(labels, _FONT_SIZE)
    ends = np.cumsum(widths + _WORD_GAP)
    total = float(ends[-1] - _WORD_GAP)
    centres = ends - _WORD_GAP - widths / 2 - total / 2
    return _Line(list(labels), -centres if is_right_to_left(labels) else centres, total)


def _draw_panel(axes: Axes, panel: _Panel, middle: float, top: float, colours: Theme, families: list[str]) -> None:
    upper, lower = top - _LINE_HEIGHT, top - _LINE_HEIGHT - _CURVE_HEIGHT
    _draw_words(axes, panel.source, middle, upper + _CURVE_GAP, colours, families)
    _draw_words(axes, panel.target, middle, lower - _CURVE_GAP - _ASCENT, colours, families)
    # The strongest last, above the others.
    rows, columns = np.unravel_index(np.argsort(panel.weights, axis=None), panel.weights.shape)
    for row, column in zip(rows, columns, strict=True):
        weight = float(panel.weights[row, column])
        if weight > 0:
            x_source, x_target = middle + panel.source.centres[column], middle + panel.target.centres[row]
            axes.add_patch(_curve(x_source, upper, x_target, lower, min(weight, 1.0), colours))


def _draw_words(axes: Axes, line: _Line, middle: float, y: float, colours: Theme, families: list[str]) -> None:
    for label, centre in zip(line.labels, line.centres, strict=True):
        axes.text(
            middle + centre,
            y,
            label.text,
            ha="center",
            va="baseline",
            fontsize=_FONT_SIZE,
            color=colours.quiet if label.special else colours.ink,
            family=families,
            parse_math=False,
        )


def _curve(x_source: float, upper: float, x_target: float, lower: float, weight: float, colours: Theme) -> PathPatch:
    bend = 0.5 * (upper - lower)
    path = Path(
        [(x_source, upper), (x_source, upper - bend), (x_target, lower + bend), (x_target, lower)],
        [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
    )
    return PathPatch(
        path,
        fill=False,
        edgecolor=colours.strong,
        linewidth=0.4 + _MAX_THICKNESS * weight,
        alpha=0.15 + 0.75 * weight,
        capstyle="butt",
    )
