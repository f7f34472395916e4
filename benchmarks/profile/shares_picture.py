"""Draws CPU time as shares of stages and operators."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.profile.profile_report import ProfileReport

Bars = Sequence[tuple[str, Mapping[str, float]]]


def draw(report: ProfileReport, file: Path) -> None:
    """Draws three panels: CPU time of a request, of a step, and of a step's operators, each as shares of 100 %."""
    panels: list[tuple[str, Bars]] = [
        (
            "CPU time of a request through the server",
            [(f"{each.model}, clients: {each.num_clients}", each.cpu_ms_by_stage) for each in report.server],
        ),
        (
            "CPU time of the engine",
            [(f"{each.model}, at a time: {each.batch}", each.cpu_us_by_stage) for each in report.engine],
        ),
        (
            "A step in ONNX Runtime, by operators",
            [(f"{each.model}, at a time: {each.batch}", each.step.us_by_group) for each in report.engine],
        ),
    ]
    heights = [len(bars) + 2 for _, bars in panels]
    canvas = Figure(figsize=(11, 0.42 * sum(heights)), layout="constrained")
    grid = canvas.add_gridspec(len(panels), 1, height_ratios=heights)
    for place, (title, bars) in enumerate(panels):
        _draw_shares(canvas.add_subplot(grid[place]), title, bars)
    canvas.savefig(file)


def _draw_shares(axes: Axes, title: str, bars: Bars) -> None:
    names = list(dict.fromkeys(name for _, parts in bars for name in parts))
    lefts = [0.0] * len(bars)
    places = list(reversed(range(len(bars))))
    for number, name in enumerate(names):
        widths = [100 * parts.get(name, 0.0) / sum(parts.values()) for _, parts in bars]
        axes.barh(places, widths, left=lefts, color=f"C{number % 10}", label=name, height=0.75)
        for place, left, width in zip(places, lefts, widths, strict=True):
            if width >= 4:  # wide enough for the number
                axes.text(left + width / 2, place, f"{width:.0f}", ha="center", va="center", fontsize=7)
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    axes.set_yticks(places, [label for label, _ in bars], fontsize=8)
    axes.set_xlim(0, 100)
    axes.set_xlabel("%", fontsize=8)
    axes.set_title(title, fontsize=10, loc="left")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
