"""Plots of a result: chooses the map, its labels and the style."""

import math
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Literal, TypedDict, Unpack, get_args

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regard.arrays import Float32Array
from regard.errors.names import check_names
from regard.names import AttentionKind
from regard.plots import animation
from regard.plots.caption import plot_caption
from regard.plots.figure import draw_into
from regard.plots.flow import plot_attention_flow
from regard.plots.heads import plot_heads
from regard.plots.heatmap import plot_attention_weights
from regard.plots.theme import Theme, ThemeName
from regard.values.labels import Label, axes_of
from regard.values.maps import AttentionMap
from regard.values.outputs import Hypothesis, Output
from regard.wire.images import ImageLike

Style = Literal["heatmap", "flow", "heads", "picture"]

# Without a `kind`, the first of these that the result has is drawn.
_KINDS_BY_PREFERENCE: tuple[AttentionKind, ...] = ("alignment", "cross", "rollout", "decoder_self", "encoder_self")
_AVERAGES: tuple[AttentionKind, ...] = ("alignment", "rollout")  # have no heads


_DPI = 144.0
_MAX_PIXELS = 2**25  # of a PNG: the plot of a long text gets fewer pixels an inch


class PlotOptions(TypedDict, total=False):
    """What to draw of a result.

    `kind` is the map's kind, by default the alignment if the result has it; `hypothesis` the index of the hypothesis,
    the best being 0. `layer` and `head` choose one layer and head by their numbers; by default all are averaged.
    `picture` is the one that was captioned; by default the one that the call sent. `ax` are axes of a figure of your
    own, into which the plot is drawn.
    """

    kind: AttentionKind | None
    hypothesis: int
    layer: int | None
    head: int | None
    picture: ImageLike | None
    theme: Theme | ThemeName
    title: str | None
    ax: Axes | None


def plot_result(result: Output, style: Style | None = None, **options: Unpack[PlotOptions]) -> Figure:
    """Draws a map of a result.

    Args:
        style: None is "picture" for captions and "heatmap" for texts.
        options: see `PlotOptions`.

    Raises:
        TypeError: there is no such option, or `ax` are no axes.
        ValueError: there is no such style, the result has no such map, layer, head or hypothesis, or the picture is
            missing.
    """
    check_names("option", options, PlotOptions.__annotations__, TypeError)
    if style in get_args(AttentionKind):
        raise ValueError(f"there is no style {style!r}, but a kind of map: plot(kind={style!r})")
    check_names("style", [style] if style is not None else [], get_args(Style), ValueError)
    axes = options.get("ax")
    if axes is not None and not isinstance(axes, Axes):
        raise TypeError(f"ax must be axes of a matplotlib figure; it is of type {type(axes).__name__}")
    figure = _plot(result, style, options)
    return figure if axes is None else draw_into(axes, figure)


def _plot(result: Output, style: Style | None, options: PlotOptions) -> Figure:
    theme, title = options.get("theme", "light"), options.get("title")
    picture = options.get("picture")
    if picture is None:
        picture = result.picture
    kinds = sorted(_KINDS_BY_PREFERENCE, key=_AVERAGES.__contains__) if style == "heads" else _KINDS_BY_PREFERENCE
    chosen, attention = _choose_map(result, options.get("kind"), options.get("hypothesis", 0), kinds)
    if style is None:
        style = "picture" if _is_over_picture(result, attention) else "heatmap"
    if style == "heads":
        return plot_heads(_head_weights(attention), attention.layers, attention.heads, theme=theme, title=title)
    weights = averaged_weights(attention, options.get("layer"), options.get("head"))
    rows, columns = axes_of(result, chosen, attention)
    if style == "picture":
        if picture is None or result.image_grid is None:
            raise ValueError("drawing over the picture needs the picture that was captioned")
        kept = [index for index, label in enumerate(rows) if not label.special]
        labels = [rows[index] for index in kept]
        return plot_caption(picture, weights[kept], labels, result.image_grid, theme=theme, title=title)
    columns = columns or _region_labels(result)
    if style == "flow":
        return plot_attention_flow(weights, columns, rows, theme=theme, title=title)
    return plot_attention_weights(weights, columns, rows, theme=theme, title=title)


def animate_result(
    result: Output,
    path: str | PathLike[str],
    *,
    kind: AttentionKind | None = None,
    hypothesis: int = 0,
    picture: ImageLike | None = None,
    theme: Theme | ThemeName = "light",
) -> None:
    """Writes a map as an animated GIF or WebP, a frame for each word. Arguments are those of `plot_result`."""
    chosen, attention = _choose_map(result, kind, hypothesis)
    rows, columns = axes_of(result, chosen, attention)
    kept = [index for index, label in enumerate(rows) if not label.special]
    weights = averaged_weights(attention, None, None)[kept]
    picture = result.picture if picture is None else picture
    grid = result.image_grid if _is_over_picture(result, attention) else None
    labels = [rows[index] for index in kept]
    animation.save_animation(path, weights, columns, labels, picture=picture, grid=grid, theme=theme)


ENDINGS = (".png", ".svg", ".pdf", *animation.FORMATS)


def save_plot(
    result: Output,
    path: str | PathLike[str],
    *,
    picture: ImageLike | None = None,
    theme: Theme | ThemeName = "light",
) -> None:
    """Writes the plot of a result as a PNG, SVG or PDF, or its animation as a GIF or WebP, by the file's ending.

    Raises:
        ValueError: the path has another ending, or the result has no map to draw.
    """
    if Path(path).suffix.lower() not in ENDINGS:
        raise ValueError(f"the file's name must end in {', '.join(ENDINGS)}; it is {str(path)!r}")
    if Path(path).suffix.lower() in animation.FORMATS:
        animate_result(result, path, picture=picture, theme=theme)
    else:
        figure = plot_result(result, picture=picture, theme=theme)
        area = float(np.prod(figure.get_size_inches()))
        figure.savefig(path, dpi=min(_DPI, math.sqrt(_MAX_PIXELS / area)))


def averaged_weights(attention: AttentionMap, layer: int | None, head: int | None) -> Float32Array:
    """A map's weights, float32 [rows, columns], of one layer and head, or averaged over all layers or heads for None.

    Raises:
        ValueError: the map has no layers and heads, or not these.
    """
    if attention.values.ndim == 2:
        if layer is not None or head is not None:
            raise ValueError(f"a map of the kind {attention.kind!r} has no layers and heads to choose from")
        return attention.values
    values = attention.values[_position_slice(attention.layers, layer, "layer")]
    return np.asarray(values[:, _position_slice(attention.heads, head, "head")].mean(axis=(0, 1)), np.float32)


def _position_slice(numbers: Sequence[int], number: int | None, name: str) -> slice:
    if number is None:
        return slice(None)
    if number not in numbers:
        raise ValueError(f"there is no {name} {number}; there are {', '.join(map(str, numbers))}")
    position = list(numbers).index(number)
    return slice(position, position + 1)


def _head_weights(attention: AttentionMap) -> Float32Array:
    if attention.values.ndim != 4:
        raise ValueError(f"a map of the kind {attention.kind!r} has no heads; ask for 'cross' or a self-attention")
    return attention.values


def _choose_map(
    result: Output, kind: AttentionKind | None, index: int, kinds: Sequence[AttentionKind] = _KINDS_BY_PREFERENCE
) -> tuple[Hypothesis, AttentionMap]:
    """A hypothesis, and its map of a kind; for None of the first of `kinds` that it has."""
    if not 0 <= index < len(result.hypotheses):
        raise ValueError(f"there is no hypothesis {index}; there are {len(result.hypotheses)}")
    hypothesis = result.hypotheses[index]
    maps = dict.fromkeys(each.kind for each in (*hypothesis.attention, *result.source_attention))
    chosen = kind if kind is not None else next((each for each in kinds if each in maps), None)
    found = None if chosen is None else result.find_map(chosen, index)
    if found is None:
        has = f"it has {', '.join(maps)}" if maps else "it has no map"
        asked = f"attention={kind!r}" if kind else "attention=True"
        wanted = f"map of the kind {kind!r}" if kind else "map to draw"
        raise ValueError(f"the result has no {wanted}; {has}; the call has to set {asked}")
    return hypothesis, found


def _is_over_picture(result: Output, attention: AttentionMap) -> bool:
    """Whether the map's columns are a picture's regions."""
    return result.image_grid is not None and attention.kind in ("alignment", "cross", "rollout")


def _region_labels(result: Output) -> list[Label]:
    """Labels of a picture's regions on a plain axis, by row and column from 1; none without a picture."""
    grid = result.image_grid
    if grid is None:
        return []
    special = [Label("·", special=True)] * grid.first_position
    return special + [Label(f"r{row + 1} c{column + 1}") for row in range(grid.rows) for column in range(grid.columns)]
