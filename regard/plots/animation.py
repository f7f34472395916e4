"""Attention over time, as an animated GIF or WebP: a frame for each word of the output."""

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from regard.arrays import Float32Array
from regard.plots.caption import draw_overlay, on_grid, read_pixels, shown_size
from regard.plots.inputs import as_labels
from regard.plots.text import Ruler, is_right_to_left
from regard.plots.theme import Theme, ThemeName, theme_named
from regard.values.labels import Label
from regard.values.outputs import ImageGrid
from regard.wire.images import ImageLike

FORMATS = {".gif": "GIF", ".webp": "WEBP"}

_SAVE_OPTIONS: dict[str, dict[str, int]] = {".gif": {"optimize": 0}, ".webp": {"quality": 82, "method": 4}}
_DPI = 110
_MAX_PIXELS = 2**28  # of all frames
_FRAME_MS = 550
_LAST_FRAME_MS = 1800
_FONT_SIZE = 12.0  # points

# Sizes in inches.
_MARGIN = 0.3
_LINE_HEIGHT = 0.34
_WORD_GAP = 0.16
_TEXT_WIDTH = 6.5  # of a frame without a picture
_PICTURE_WIDTH = 4.6


def save_animation(
    path: str | PathLike[str],
    weights: Float32Array,
    sources: Sequence[str | Label],
    targets: Sequence[str | Label],
    *,
    picture: ImageLike | None = None,
    grid: ImageGrid | None = None,
    theme: Theme | ThemeName = "light",
) -> None:
    """Writes a frame for each target word: its weights on the source words, or on the picture.

    Args:
        path: ending in ".gif" or ".webp".
        weights: float32 [target, source]; for a picture, `grid` says where the source axis lies on it.
        sources: the source words; empty for a picture.
        targets: the target words.
        picture: the one that was captioned; needed with `grid`.

    Raises:
        ValueError: the path has another ending, the weights' shape does not match the words or the grid, or the text
            is too long for an animation.
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
    durations = [_FRAME_MS] * (len(frames) - 1) + [_LAST_FRAME_MS]
    options = _SAVE_OPTIONS[ending]
    frames[0].save(
        path, FORMATS[ending], save_all=True, append_images=frames[1:], duration=durations, loop=0, **options
    )


def _picture_frames(
    maps: Float32Array, labels: Sequence[Label], pixels: NDArray[np.uint8], grid: ImageGrid, colours: Theme
) -> Iterator[Image.Image]:
    width, height = shown_size(grid, _PICTURE_WIDTH, 2 * _PICTURE_WIDTH)
    page = _Page(labels, colours, width=_PICTURE_WIDTH + 2 * _MARGIN)
    lines = page.wrapped(labels)
    total = height + 2 * _MARGIN + (len(lines) + 0.5) * _LINE_HEIGHT
    _check_size(len(maps), page.width, total)
    for current, values in enumerate(maps):
        figure = page.figure(total)
        left = (page.width - width) / 2
        box = (left / page.width, 1 - (_MARGIN + height) / total, width / page.width, height / total)
        draw_overlay(figure.add_axes(box), pixels, values, grid, is_smooth=True)
        top = total - _MARGIN - height - 0.5 * _LINE_HEIGHT
        page.write(figure, lines, labels, top, _written_tints(len(labels), current))
        yield _frame(figure)


def _text_frames(
    weights: Float32Array, sources: Sequence[Label], targets: Sequence[Label], colours: Theme
) -> Iterator[Image.Image]:
    shape = (len(targets), len(sources))
    if weights.shape != shape or not weights.size:
        raise ValueError(f"weights are {list(weights.shape)}; for these words they must be {list(shape)}")
    page = _Page([*sources, *targets], colours, width=_TEXT_WIDTH)
    above, below = page.wrapped(sources), page.wrapped(targets)
    total = 2 * _MARGIN + (len(above) + len(below) + 1) * _LINE_HEIGHT
    top_of_targets = total - _MARGIN - (len(above) + 1) * _LINE_HEIGHT
    _check_size(len(weights), page.width, total)
    for current, row in enumerate(weights):
        figure = page.figure(total)
        page.write(figure, above, sources, total - _MARGIN, row / max(float(row.max()), 1e-9))
        page.write(figure, below, targets, top_of_targets, _written_tints(len(targets), current))
        yield _frame(figure)


def _check_size(num_frames: int, width: float, height: float) -> None:
    """Raises ValueError if the frames, all of which are in memory before the first is written, have too many pixels."""
    num_pixels = int(num_frames * width * height * _DPI**2)
    if num_pixels > _MAX_PIXELS:
        raise ValueError(f"an animation of {num_frames} words has {num_pixels} pixels; the limit is {_MAX_PIXELS}")


def _written_tints(length: int, current: int) -> Float32Array:
    """Tints of the target words while `current` is written: 1 for it, 0 for words before it, NaN for words after it."""
    tints = np.full(length, np.nan, np.float32)
    tints[:current] = 0
    tints[current] = 1
    return tints


class _Page:
    """Words in lines, each on a background whose tint shows a weight."""

    def __init__(self, labels: Sequence[Label], colours: Theme, width: float) -> None:
        self.width = width
        self._colours = colours
        self._ruler = Ruler(labels)

    def wrapped(self, labels: Sequence[Label]) -> list[list[tuple[int, float, float]]]:
        """Lines of (index, left edge, width), in inches from the left margin; right-to-left words from the right."""
        room = self.width - 2 * _MARGIN
        is_mirrored = is_right_to_left(labels)
        lines: list[list[tuple[int, float, float]]] = [[]]
        x = 0.0
        for index, width in enumerate(self._ruler.widths(labels, _FONT_SIZE).tolist()):
            if lines[-1] and x + width > room:
                lines.append([])
                x = 0.0
            lines[-1].append((index, room - x - width if is_mirrored else x, width))
            x += width + _WORD_GAP
        return lines

    def figure(self, height: float) -> Figure:
        return Figure(figsize=(self.width, height), dpi=_DPI, facecolor=self._colours.paper)

    def write(
        self,
        figure: Figure,
        lines: Sequence[Sequence[tuple[int, float, float]]],
        labels: Sequence[Label],
        top: float,
        tints: Float32Array,
    ) -> None:
        """Writes lines downwards from `top`, in inches; tints are in [0, 1], and NaN leaves a word out."""
        height = float(figure.get_figheight())
        for number, line in enumerate(lines):
            y = top - (number + 0.5) * _LINE_HEIGHT
            for index, x, width in line:
                if not np.isnan(tints[index]):
                    position = ((_MARGIN + x + width / 2) / self.width, y / height)
                    self._write_word(figure, position, labels[index], float(tints[index]))

    def _write_word(self, figure: Figure, position: tuple[float, float], label: Label, tint: float) -> None:
        colours = self._colours
        is_strong = tint > 0.45
        ink = colours.paper if is_strong else colours.quiet if label.special else colours.ink
        background = colours.colormap(tint * 0.85) if tint > 0.02 else "none"
        figure.text(
            *position,
            label.text,
            ha="center",
            va="center",
            fontsize=_FONT_SIZE,
            color=ink,
            family=self._ruler.families,
            parse_math=False,
            bbox={"boxstyle": "round,pad=0.18", "facecolor": background, "edgecolor": "none"},
        )


def _frame(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
