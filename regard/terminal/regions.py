"""Attention to a picture in a terminal: for each word of a caption a small picture of the regions it attended to."""

from collections.abc import Iterator, Sequence

import numpy as np
from rich.cells import cell_len
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from regard.arrays import Float32Array
from regard.terminal.cells import label_width, narrow_labels
from regard.terminal.colours import ramp_colour
from regard.values.labels import Label
from regard.values.outputs import Hypothesis, Output

_GRID_GAP = 2  # terminal columns between two grids
_UPPER_HALF = "▀"  # the upper half has the text's colour, the lower half the background's
_MIN_SCALE = np.float32(1e-9)  # keeps the division by a grid's largest weight finite
_SHADES = " ░▒▓█"  # for terminals without colours


def print_regions(console: Console, output: Output, hypothesis: Hypothesis) -> None:
    """Prints a grid for each word of a caption, scaled to its largest weight; nothing if there is no alignment."""
    alignment, grid = hypothesis.alignment, output.image_grid
    if alignment is None or grid is None:
        return
    is_by_words = alignment.granularity == "word"
    targets = narrow_labels(hypothesis.words if is_by_words else hypothesis.tokens)
    last = grid.first_position + grid.rows * grid.columns
    if alignment.shape[0] != len(targets) or alignment.shape[1] < last:
        return
    weights = alignment.values[:, grid.first_position : last].reshape(-1, grid.rows, grid.columns)
    for line in region_lines(targets, weights, console.width, in_colour=console.color_system is not None):
        console.print(line, no_wrap=True, overflow="crop", crop=True)


def region_lines(targets: Sequence[Label], weights: Float32Array, width: int, *, in_colour: bool) -> Iterator[Text]:
    """Yields the lines of all grids; grids that do not fit beside each other continue below.

    Args:
        targets: labels of the words; special ones are left out.
        weights: float32 [target, rows, columns].
        width: of the terminal, in columns.
        in_colour: draws two rows of a grid on each line, in colours; otherwise one row, in shades.
    """
    shown = [(target, weights[index]) for index, target in enumerate(targets) if not target.special]
    for number, group in enumerate(_rows_of_grids(shown, weights.shape[2], width)):
        if number:
            yield Text()
        sizes = [max(label_width(target), weights.shape[2]) + _GRID_GAP for target, _ in group]
        pictures = [list(_coloured_lines(grid) if in_colour else _shaded_lines(grid)) for _, grid in group]
        yield _side_by_side([Text(target.text, "bold") for target, _ in group], sizes)
        for parts in zip(*pictures, strict=True):
            yield _side_by_side(parts, sizes)


def _rows_of_grids(
    shown: Sequence[tuple[Label, Float32Array]], columns: int, width: int
) -> Iterator[Sequence[tuple[Label, Float32Array]]]:
    """Yields groups of grids that fit side by side; at least one grid each."""
    start, used = 0, 0
    for index, (target, _) in enumerate(shown):
        needed = max(label_width(target), columns) + _GRID_GAP
        if index > start and used + needed - _GRID_GAP > width:
            yield shown[start:index]
            start, used = index, 0
        used += needed
    if shown:
        yield shown[start:]


def _side_by_side(parts: Sequence[Text], sizes: Sequence[int]) -> Text:
    line = Text()
    for part, size in zip(parts, sizes, strict=True):
        line.append_text(part)
        line.append(" " * (size - cell_len(part.plain)))
    line.rstrip()
    return line


def _coloured_lines(grid: Float32Array) -> Iterator[Text]:
    """Yields two rows of the grid on each line, as half a terminal cell is about a square."""
    shares = _shares(grid)
    for top in range(0, len(shares), 2):
        line = Text()
        for column in range(shares.shape[1]):
            upper = _colour(shares[top, column])
            lower = _colour(shares[top + 1, column]) if top + 1 < len(shares) else None
            line.append(_UPPER_HALF, Style(color=upper, bgcolor=lower))
        yield line


def _colour(share: np.float32) -> Color:
    return Color.from_rgb(*ramp_colour(float(share)))


def _shaded_lines(grid: Float32Array) -> Iterator[Text]:
    for row in _shares(grid):
        yield Text("".join(_SHADES[round(float(share) * (len(_SHADES) - 1))] for share in row))


def _shares(grid: Float32Array) -> Float32Array:
    """Weights as shares of the largest one, float32 [rows, columns]; negative and non-finite weights count as 0."""
    weights: Float32Array = np.nan_to_num(grid, nan=0.0, posinf=0.0, neginf=0.0).clip(min=0.0)
    shares: Float32Array = weights / np.maximum(weights.max(initial=0.0), _MIN_SCALE)
    return shares
