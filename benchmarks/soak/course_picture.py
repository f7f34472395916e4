"""Draws a soak: latency, calls, memory, open files and threads over time."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmarks.soak.soak_report import SoakReport


def draw(report: SoakReport, file: Path) -> None:
    """Draws the course; the file's suffix selects the format."""
    figure, (latency, calls, memory, counts) = plt.subplots(
        4, 1, figsize=(9, 8), sharex=True, layout="constrained", height_ratios=(2, 1, 1, 1)
    )
    minutes = [(stretch.begins_s + stretch.seconds / 2) / 60 for stretch in report.course]
    for name in ("p99_ms", "p50_ms"):
        latency.plot(minutes, [getattr(stretch, name) for stretch in report.course], label=name.removesuffix("_ms"))
    latency.set(ylabel="latency, ms", yscale="log")
    latency.legend(loc="upper right")
    calls.plot(minutes, [stretch.num_calls / stretch.seconds for stretch in report.course], label="due")
    calls.plot(minutes, [stretch.num_failed / stretch.seconds for stretch in report.course], "r", label="failed")
    calls.set(ylabel="calls a second")
    calls.legend(loc="upper right")
    memory.plot(minutes, [stretch.resident_mb for stretch in report.course])
    memory.set(ylabel="resident, MB")
    counts.plot(minutes, [stretch.num_open_files for stretch in report.course], label="open files")
    counts.plot(minutes, [stretch.num_threads for stretch in report.course], label="threads")
    counts.set(xlabel="minutes", xlim=(0, report.minutes))
    counts.legend(loc="upper right")
    for axes in (calls, memory, counts):
        axes.set_ylim(bottom=0)
    for axes in (latency, calls, memory, counts):
        _mark_fifths(axes, report.minutes)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)


def _mark_fifths(axes: Axes, minutes: float) -> None:
    for number in range(1, 5):
        axes.axvline(number * minutes / 5, color="grey", linewidth=0.5, alpha=0.5)
