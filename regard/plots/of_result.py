"""What there is to see of a result: which map, with which labels, drawn how."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import numpy as np
from matplotlib.figure import Figure

from regard.axes import Label, axes_of
from regard.plots import movie
from regard.plots.flow import plot_attention_flow
from regard.plots.heads import plot_heads
from regard.plots.heatmap import plot_attention_weights
from regard.plots.labels import Weights
from regard.plots.overlay import plot_caption
from regard.plots.theme import Theme, ThemeName
from regard.requests import ImageLike
from regard.results import AttentionKind, AttentionMap, Hypothesis, Result

Style = Literal["heatmap", "flow", "heads", "picture"]

# What is drawn where nobody says: the first of these that the result has.
_KINDS: tuple[AttentionKind, ...] = ("alignment", "cross", "rollout", "decoder_self", "encoder_self")


class PlotOptions(TypedDict, total=False):
    """What is drawn of a result.

    `kind` is which map, by default the alignment, or else the first there is; `hypothesis` which one, from the best.
    `layer` and `head` choose, by their numbers, of a map that has them; by default it is averaged over all.
    `picture` is the one that was captioned, which results do not carry.
    """

    kind: AttentionKind | None
    hypothesis: int
    layer: int | None
    head: int | None
    picture: ImageLike | None
    theme: Theme | ThemeName
    title: str | None


def plot_result(result: Result, style: Style | None = None, **options: Unpack[PlotOptions]) -> Figure:
    """Draws a map of a result.

    Args:
        style: None is "picture" for captions and "heatmap" for texts.

    Raises:
        ValueError: the result has no such map, layer, head or hypothesis, or the picture is missing.
    """
    theme, title, picture = options.get("theme", "light"), options.get("title"), options.get("picture")
    chosen, found = _chosen(result, options.get("kind"), options.get("hypothesis", 0))
    if style is None:
        style = "picture" if _is_over_picture(result, found) else "heatmap"
    if style == "heads":
        return plot_heads(_of_heads(found), found.layers, found.heads, theme=theme, title=title)
    weights = reduced(found, options.get("layer"), options.get("head"))
    rows, columns = axes_of(result, chosen, found)
    if style == "picture":
        if picture is None or result.image_grid is None:
            raise ValueError("drawing over the picture needs the picture that was captioned")
        kept = [index for index, label in enumerate(rows) if not label.special]
        labels = [rows[index] for index in kept]
        return plot_caption(picture, weights[kept], labels, result.image_grid, theme=theme, title=title)
    columns = columns or _regions(result)
    if style == "flow":
        return plot_attention_flow(weights, columns, rows, theme=theme, title=title)
    return plot_attention_weights(weights, columns, rows, theme=theme, title=title)


def animate_result(
    result: Result,
    path: str | PathLike[str],
    *,
    kind: AttentionKind | None = None,
    hypothesis: int = 0,
    picture: ImageLike | None = None,
    theme: Theme | ThemeName = "light",
) -> None:
    """Writes an animated GIF or WebP of a map of a result: a frame a word. Arguments as in `plot_result`."""
    chosen, found = _chosen(result, kind, hypothesis)
    rows, columns = axes_of(result, chosen, found)
    kept = [index for index, label in enumerate(rows) if not label.special]
    weights = reduced(found, None, None)[kept]
    grid = result.image_grid if _is_over_picture(result, found) else None
    labels = [rows[index] for index in kept]
    movie.save_animation(path, weights, columns, labels, picture=picture, grid=grid, theme=theme)


ENDINGS = (".png", ".svg", ".pdf", *movie.FORMATS)


def save_plot(
    result: Result,
    path: str | PathLike[str],
    *,
    picture: ImageLike | None = None,
    theme: Theme | ThemeName = "light",
) -> None:
    """Writes what `plot_result` draws; by the file's ending a PNG, SVG or PDF, or an animated GIF or WebP.

    Raises:
        ValueError: the file has another ending, or the result cannot be drawn.
    """
    if Path(path).suffix.lower() not in ENDINGS:
        raise ValueError(f"the file's name must end in {', '.join(ENDINGS)}; it is {str(path)!r}")
    if Path(path).suffix.lower() in movie.FORMATS:
        animate_result(result, path, picture=picture, theme=theme)
    else:
        plot_result(result, picture=picture, theme=theme).savefig(path, dpi=144)


def reduced(found: AttentionMap, layer: int | None, head: int | None) -> Weights:
    """A map's weights as [rows, columns]: of one layer and head by their numbers, or averaged over all."""
    if found.values.ndim == 2:
        if layer is not None or head is not None:
            raise ValueError(f"a map of the kind {found.kind!r} has no layers and heads to choose from")
        return found.values
    values = found.values[_positions(found.layers, layer, "layer")]
    return np.asarray(values[:, _positions(found.heads, head, "head")].mean(axis=(0, 1)), np.float32)


def _positions(numbers: Sequence[int], wanted: int | None, name: str) -> slice:
    if wanted is None:
        return slice(None)
    if wanted not in numbers:
        raise ValueError(f"there is no {name} {wanted}; there are {', '.join(map(str, numbers))}")
    position = list(numbers).index(wanted)
    return slice(position, position + 1)


def _of_heads(found: AttentionMap) -> Weights:
    if found.values.ndim != 4:
        raise ValueError(f"a map of the kind {found.kind!r} has no heads; ask for 'cross' or a self-attention")
    return found.values


def _chosen(result: Result, kind: AttentionKind | None, index: int) -> tuple[Hypothesis, AttentionMap]:
    if not 0 <= index < len(result.hypotheses):
        raise ValueError(f"there is no hypothesis {index}; there are {len(result.hypotheses)}")
    hypothesis = result.hypotheses[index]
    there = {found.kind: found for found in (*hypothesis.attention, *result.source_attention)}
    wanted = [kind] if kind is not None else [each for each in _KINDS if each in there]
    if not wanted or wanted[0] not in there:
        has = ", ".join(there) or "none; the call has to ask for them (attention=True)"
        raise ValueError(f"the result has no map{f' of the kind {kind!r}' if kind else ''}; it has {has}")
    return hypothesis, there[wanted[0]]


def _is_over_picture(result: Result, found: AttentionMap) -> bool:
    return result.image_grid is not None and found.kind in ("alignment", "cross", "rollout")


def _regions(result: Result) -> list[Label]:
    """Labels of a picture's regions on the source axis, where it is drawn as a plain axis: by row and column from 1."""
    grid = result.image_grid
    if grid is None:
        return []
    special = [Label("·", special=True)] * grid.first_position
    return special + [Label(f"r{row + 1} c{column + 1}") for row in range(grid.rows) for column in range(grid.columns)]
