"""Draws the table, one bar per ratio with its targets, and the curves."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from benchmarks.peers.results import Curve, Figure, RowResult

COLORS = {"goal": "#1b7837", "needed": "#7fbf7b", "missed": "#c2a5cf", "": "#bbbbbb"}


def draw_rows(rows: Sequence[RowResult], file: Path) -> None:
    """Draws every figure with targets; writes no file without such figures."""
    drawn = [(row, figure) for row in rows for figure in row.figures if figure.needed and figure.goal]
    if not drawn:
        return
    canvas = Canvas(figsize=(10, 0.9 + 0.32 * len(drawn)), layout="constrained")
    axes: Axes = canvas.add_subplot()
    for place, (_, figure) in enumerate(reversed(drawn)):
        least, most = sorted((_over_needed(figure, figure.value.minimum), _over_needed(figure, figure.value.maximum)))
        axes.barh(place, _over_needed(figure, figure.value.median), color=COLORS[figure.verdict], height=0.7)
        axes.plot([least, most], [place, place], color="black", linewidth=1)
        axes.plot([_over_needed(figure, figure.goal or 1.0)], [place], marker="|", color="black", markersize=12)
    axes.axvline(1.0, color="black", linestyle="--", linewidth=1)
    labels = [f"{row.title}: {figure.what}, {figure.value.median:.2f}" for row, figure in reversed(drawn)]
    axes.set_yticks(range(len(drawn)), labels, fontsize=8)
    axes.set_xlabel("over the needed value (dashed); | marks the goal, a line the range")
    canvas.savefig(file)


def _over_needed(figure: Figure, value: float) -> float:
    """The value over the needed value, inverted where less is better, so that all figures share an axis."""
    needed = figure.needed or 1.0
    return needed / max(value, 1e-9) if figure.at_most else value / needed


def draw_curves(curves: Sequence[Curve], file: Path) -> None:
    """Draws the curves side by side; writes no file without curves."""
    if not curves:
        return
    canvas = Canvas(figsize=(4 * len(curves), 3.2), layout="constrained")
    for number, curve in enumerate(curves):
        axes: Axes = canvas.add_subplot(1, len(curves), number + 1)
        values = [point.value for point in curve.points]
        places = [point.at for point in curve.points]
        axes.plot(places, [value.median for value in values], marker="o", color="#1b7837")
        axes.fill_between(
            places, [value.minimum for value in values], [value.maximum for value in values], alpha=0.2, color="#1b7837"
        )
        axes.set_xscale("log", base=2)
        axes.set_xticks(places, [str(place) for place in places])
        axes.set_ylim(bottom=0)
        axes.set_xlabel(curve.of)
        axes.set_ylabel(curve.unit)
        axes.set_title(curve.title, fontsize=9)
    canvas.savefig(file)
