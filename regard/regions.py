"""What a terminal shows of the attention to a picture: for each word a small picture of where it looked."""

from collections.abc import Iterator, Sequence

import numpy as np
from rich.cells import cell_len
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from regard.arrays import Float32Array
from regard.results import Hypothesis, Result
from regard.terminal import Label, labels, ramp

_GAP = 2  # columns between two words
_UPPER_HALF = "▀"  # its upper half has the text's colour, its lower half the background's
_FAINTEST = np.float32(1e-9)  # less than this is nothing
_SHADES = " ░▒▓█"  # where there are no colours


def print_regions(console: Console, result: Result, hypothesis: Hypothesis) -> None:
    """Prints a grid for each word of a caption, side by side; each is brightest where its word looked most."""
    alignment, grid = hypothesis.alignment, result.image_grid
    if alignment is None or grid is None:
        return
    by_words = alignment.granularity == "word"
    targets = labels(hypothesis.words if by_words else hypothesis.tokens)
    last = grid.first_position + grid.rows * grid.columns
    if alignment.shape[0] != len(targets) or alignment.shape[1] < last:
        return
    weights = alignment.values[:, grid.first_position : last].reshape(-1, grid.rows, grid.columns)
    for line in region_lines(targets, weights, console.width, in_colour=console.color_system is not None):
        console.print(line, no_wrap=True, overflow="crop", crop=True)


def region_lines(targets: Sequence[Label], weights: Float32Array, width: int, *, in_colour: bool) -> Iterator[Text]:
    """The lines of all grids; where they are wider than the terminal, several rows of grids.

    Args:
        targets: the words; the model's own are left out.
        weights: float32 [target, rows, columns].
        width: of the terminal, in columns.
        in_colour: two rows of a grid a line, in colours; otherwise a row a line, in shades.
    """
    shown = [(target, weights[index]) for index, target in enumerate(targets) if not target.special]
    for number, group in enumerate(_rows_of_grids(shown, weights.shape[2], width)):
        if number:
            yield Text()
        sizes = [max(target.width, weights.shape[2]) + _GAP for target, _ in group]
        pictures = [list(_coloured(grid) if in_colour else _shaded(grid)) for _, grid in group]
        yield _beside([Text(target.text, "bold") for target, _ in group], sizes)
        for parts in zip(*pictures, strict=True):
            yield _beside(parts, sizes)


def _rows_of_grids(
    shown: Sequence[tuple[Label, Float32Array]], columns: int, width: int
) -> Iterator[Sequence[tuple[Label, Float32Array]]]:
    """Groups that fit beside each other; at least one grid each."""
    start, used = 0, 0
    for index, (target, _) in enumerate(shown):
        needed = max(target.width, columns) + _GAP
        if index > start and used + needed - _GAP > width:
            yield shown[start:index]
            start, used = index, 0
        used += needed
    if shown:
        yield shown[start:]


def _beside(parts: Sequence[Text], sizes: Sequence[int]) -> Text:
    line = Text()
    for part, size in zip(parts, sizes, strict=True):
        line.append_text(part)
        line.append(" " * (size - cell_len(part.plain)))
    line.rstrip()
    return line


def _coloured(grid: Float32Array) -> Iterator[Text]:
    """Two rows a line: a half of a terminal's cell is about a square."""
    shares = _shares(grid)
    for top in range(0, len(shares), 2):
        line = Text()
        for column in range(shares.shape[1]):
            upper = Color.from_rgb(*ramp(float(shares[top, column])))
            lower = Color.from_rgb(*ramp(float(shares[top + 1, column]))) if top + 1 < len(shares) else None
            line.append(_UPPER_HALF, Style(color=upper, bgcolor=lower))
        yield line


def _shaded(grid: Float32Array) -> Iterator[Text]:
    for row in _shares(grid):
        yield Text("".join(_SHADES[round(float(share) * (len(_SHADES) - 1))] for share in row))


def _shares(grid: Float32Array) -> Float32Array:
    """Weights as shares of the largest one; a server's nonsense counts as nothing."""
    weights: Float32Array = np.nan_to_num(grid, nan=0.0, posinf=0.0, neginf=0.0).clip(min=0.0)
    shares: Float32Array = weights / np.maximum(weights.max(initial=0.0), _FAINTEST)
    return shares
