"""Draws a training from its log: losses and validation scores over target tokens.

python -m regard_models.recipes.training_curve OUT/log.jsonl FILE.svg
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from regard_models.recipes.training import Log

LOSSES = ("loss", "alignment")
NO_SCORES = frozenset({"step", "rate", "tokens", "seconds", "tokens_per_s", *LOSSES})


def draw_curve(lines: Sequence[Log], file: Path) -> None:
    """Draws the lines of a log; the file's suffix selects the format."""
    figure, (losses, scores) = plt.subplots(2, 1, figsize=(8, 6), sharex=True, layout="constrained")
    millions = [line["tokens"] / 1e6 for line in lines]
    _plot(losses, millions, lines, [name for name in LOSSES if name in lines[0]])
    losses.set_ylabel("loss, nats")
    _plot(scores, millions, lines, [name for name in lines[0] if name not in NO_SCORES])
    scores.set(ylabel="BLEU, greedy", xlabel="target tokens, millions")
    with mpl.rc_context({"svg.hashsalt": "regard"}):  # the same file each time
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)


def _plot(axes: Axes, millions: Sequence[float], lines: Sequence[Log], names: Sequence[str]) -> None:
    for name in names:
        axes.plot(millions, [line[name] for line in lines], marker=".", label=name)
    if names:
        axes.legend(fontsize="small")
    axes.grid(alpha=0.3)


def main() -> None:
    """Draws the log that the command line names."""
    log, file = map(Path, sys.argv[1:3])
    draw_curve([json.loads(line) for line in log.read_text("utf-8").splitlines()], file)


if __name__ == "__main__":
    main()
