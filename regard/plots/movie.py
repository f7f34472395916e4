"""Attention over time, as an animated GIF or WebP: a frame a word of the output."""

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from regard.axes import Label
from regard.plots.labels import Ruler, Weights, as_labels, run_right_to_left
from regard.plots.overlay import draw_overlay, on_grid, read_pixels
from regard.plots.theme import Theme, ThemeName, theme_named
from regard.requests import ImageLike
from regard.results import ImageGrid

FORMATS = {".gif": "GIF", ".webp": "WEBP"}

_DPI = 110
_FRAME_MS = 550
_LAST_MS = 1800
_FONT_SIZE = 12.0
_MARGIN = 0.3  # inches
_LINE = 0.34
_SPACE = 0.16
_WIDTH = 6.5
_PICTURE = 4.6


def save_animation(
    path: str | PathLike[str],
    weights: Weights,
    sources: Sequence[str | Label],
    targets: Sequence[str | Label],
    *,
    picture: ImageLike | None = None,
    grid: ImageGrid | None = None,
    theme: Theme | ThemeName = "light",
) -> None:
    """Writes a frame for each target word: its weights over the source's words, or over the picture.

    Args:
        path: ending in ".gif" or ".webp".
        weights: [target, source], the source axis being `grid`'s if there is a picture.
        sources: the source's words; empty for a picture.

    Raises:
        ValueError: another ending, or weights that fit neither words nor grid.
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise ValueError(f"an animation ends in {' or '.join(FORMATS)}; this is {str(path)!r}")
    colours = theme_named(theme)
    labels = as_labels(targets)
    if grid is not None:
        if picture is None:
            raise ValueError("the picture that was captioned is needed to draw over it")
        drawn = _picture_frames(on_grid(weights, len(labels), grid), labels, read_pixels(picture, grid), grid, colours)
    else:
        drawn = _text_frames(np.asarray(weights, np.float32), as_labels(sources), labels, colours)
    frames = list(drawn)
    durations = [_FRAME_MS] * (len(frames) - 1) + [_LAST_MS]
    frames[0].save(
        path, FORMATS[ending], save_all=True, append_images=frames[1:], duration=durations, loop=0, **_QUALITY[ending]
    )


_QUALITY: dict[str, dict[str, int]] = {".gif": {"optimize": 0}, ".webp": {"quality": 82, "method": 4}}


def _picture_frames(
    maps: NDArray[np.float32], labels: Sequence[Label], pixels: NDArray[np.uint8], grid: ImageGrid, colours: Theme
) -> Iterator[Image.Image]:
    height = _PICTURE * grid.image_height / grid.image_width
    page = _Page(labels, colours, width=_PICTURE + 2 * _MARGIN)
    lines = page.wrapped(labels)
    total = height + 2 * _MARGIN + (len(lines) + 0.5) * _LINE
    for current, values in enumerate(maps):
        figure = page.figure(total)
        box = (_MARGIN / page.width, 1 - (_MARGIN + height) / total, _PICTURE / page.width, height / total)
        draw_overlay(figure.add_axes(box), pixels, values, grid, smooth=True)
        page.write(figure, lines, labels, total - _MARGIN - height - 0.5 * _LINE, _growing(len(labels), current))
        yield _frame(figure)


def _text_frames(
    weights: Weights, sources: Sequence[Label], targets: Sequence[Label], colours: Theme
) -> Iterator[Image.Image]:
    if weights.shape != (len(targets), len(sources)) or not weights.size:
        raise ValueError(f"weights are {list(weights.shape)}; their words ask for {[len(targets), len(sources)]}")
    page = _Page([*sources, *targets], colours, width=_WIDTH)
    above, below = page.wrapped(sources), page.wrapped(targets)
    total = 2 * _MARGIN + (len(above) + len(below) + 1) * _LINE
    for current, row in enumerate(weights):
        figure = page.figure(total)
        page.write(figure, above, sources, total - _MARGIN, row / max(float(row.max()), 1e-9))
        page.write(figure, below, targets, total - _MARGIN - (len(above) + 1) * _LINE, _growing(len(targets), current))
        yield _frame(figure)


def _growing(length: int, current: int) -> NDArray[np.float32]:
    """Tints of words that are written up to `current`, which stands out; NaN for those to come."""
    tints = np.full(length, np.nan, np.float32)
    tints[:current] = 0
    tints[current] = 1
    return tints


class _Page:
    """Words set in lines, each on a tint."""

    def __init__(self, labels: Sequence[Label], colours: Theme, width: float) -> None:
        self.width = width
        self._colours = colours
        self._ruler = Ruler(labels)

    def wrapped(self, labels: Sequence[Label]) -> list[list[tuple[int, float, float]]]:
        """Lines of (index, left edge, width), in inches from the left margin; from the right for words that run so."""
        room = self.width - 2 * _MARGIN
        mirrored = run_right_to_left(labels)
        lines: list[list[tuple[int, float, float]]] = [[]]
        x = 0.0
        for index, width in enumerate(self._ruler.widths(labels, _FONT_SIZE).tolist()):
            if lines[-1] and x + width > room:
                lines.append([])
                x = 0.0
            lines[-1].append((index, room - x - width if mirrored else x, width))
            x += width + _SPACE
        return lines

    def figure(self, height: float) -> Figure:
        return Figure(figsize=(self.width, height), dpi=_DPI, facecolor=self._colours.paper)

    def write(
        self,
        figure: Figure,
        lines: Sequence[Sequence[tuple[int, float, float]]],
        labels: Sequence[Label],
        top: float,
        tints: NDArray[np.float32],
    ) -> None:
        """Writes lines downwards from `top`; tints are from 0 to 1, and NaN leaves a word out."""
        height = float(figure.get_figheight())
        for number, line in enumerate(lines):
            y = top - (number + 0.5) * _LINE
            for index, x, width in line:
                if not np.isnan(tints[index]):
                    at = ((_MARGIN + x + width / 2) / self.width, y / height)
                    self._word(figure, at, labels[index], float(tints[index]))

    def _word(self, figure: Figure, at: tuple[float, float], label: Label, tint: float) -> None:
        colours = self._colours
        strong = tint > 0.45
        ink = colours.paper if strong else colours.quiet if label.special else colours.ink
        ground = colours.colormap(tint * 0.85) if tint > 0.02 else "none"
        figure.text(
            *at,
            label.text,
            ha="center",
            va="center",
            fontsize=_FONT_SIZE,
            color=ink,
            family=self._ruler.families,
            parse_math=False,
            bbox={"boxstyle": "round,pad=0.18", "facecolor": ground, "edgecolor": "none"},
        )


def _frame(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
