"""Draws a load test: the distribution of latencies, and latency and throughput over time."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from benchmarks.loadtest.runner import Outcome
from benchmarks.loadtest.scenario import Scenario

NINES = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)


def draw(scenario: Scenario, outcomes: Sequence[Outcome], file: Path) -> None:
    """Draws the calls that were due in the measurement; the file's suffix selects the format."""
    counted = [outcome for outcome in outcomes if outcome.due >= 0]
    figure, (shares, course) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    figure.suptitle(scenario.name)
    _draw_shares(shares, scenario, counted)
    _draw_course(course, scenario, counted)
    figure.savefig(file)
    plt.close(figure)


def _draw_shares(axes: Axes, scenario: Scenario, outcomes: Sequence[Outcome]) -> None:
    """Latency by the share of faster calls, with an axis stretched towards 100 %."""
    for part in scenario.parts:
        times = np.sort([1000 * o.latency_s for o in outcomes if o.part == part.name and o.code == "OK"])
        if len(times):
            slower = 1 - np.arange(len(times)) / len(times)
            axes.step(1 / slower, times, where="post", label=part.name)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([1 / (1 - share) for share in NINES]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * (1 - 1 / x):.7g} %"))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.set(xlabel="share of calls that were faster", ylabel="latency, ms", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")


def _draw_course(axes: Axes, scenario: Scenario, outcomes: Sequence[Outcome]) -> None:
    """The latency of each call by its due time, and answers per second."""
    good = [o for o in outcomes if o.code == "OK"]
    failed = [o for o in outcomes if not o.is_expected]
    axes.scatter([o.due for o in good], [1000 * o.latency_s for o in good], s=3, alpha=0.4, label="answered")
    if failed:
        axes.scatter([o.due for o in failed], [1000 * o.latency_s for o in failed], s=12, c="r", label="failed")
    axes.set(xlabel="due, s", ylabel="latency, ms", yscale="log", xlim=(0, scenario.duration_s))
    axes.legend(loc="upper left")
    rate = axes.twinx()
    edges = np.arange(0, scenario.duration_s + 1)
    counts, _ = np.histogram([o.done for o in good], edges)
    rate.stairs(counts, edges, color="grey", alpha=0.5)
    rate.set(ylabel="answers a second", ylim=(0, None))
