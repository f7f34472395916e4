"""`python -m benchmarks.peers.regression`: prints some ratios of speed in under three minutes, for CI.

Compares the shipped model with the same weights in transformers, batches with single requests, and maps with no maps.
Needs .venv-dev but no peer's environment. Fails only if a run fails: a busy machine is no regression.
"""

import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.harness.spread import Spread
from benchmarks.harness.tables import Table, show
from benchmarks.peers.engines import Engines, RunningEngine, Setting, open_engine
from benchmarks.peers.everyday import ids
from benchmarks.peers.jobs import Job, free_length_job
from benchmarks.peers.models import EVERYDAY, ModelFiles, make_checkpoint
from benchmarks.peers.rounds import PAUSE_S
from benchmarks.serving.sentences import SENTENCES
from regard_service.app.cores import cpu_limit

TIME_S = 120.0  # no round starts later


@dataclass(frozen=True)
class Run:
    """One job of a round; with `attention` Regard keeps all cross-attention."""

    engine: str
    job: Job
    attention: bool = False


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Maximum number of rounds.")
def main(rounds: int) -> None:
    """Compares Regard with transformers, batches with single requests, and maps with no maps."""
    ends = time.monotonic() + TIME_S
    sources = ids(SENTENCES)
    single, batched = free_length_job(sources[:12], 1), free_length_job(sources * 8, 32)
    runs = {
        "single": Run("Regard", single),
        "batched": Run("Regard", batched),
        "with maps": Run("Regard", batched, attention=True),
        "transformers, single": Run("transformers", single),
        "transformers, batched": Run("transformers", free_length_job(sources[:1] * 32, 32)),
    }
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        engines = {setting.engine: stack.enter_context(open_engine(setting)) for setting in _settings(Path(folder))}
        for each in runs.values():
            _speed(engines[each.engine], Run(each.engine, each.job.warm_up, each.attention))
        for number in range(rounds):
            if number and time.monotonic() > ends:
                break
            for name, each in runs.items():
                speeds[name].append(_speed(engines[each.engine], each))
                time.sleep(PAUSE_S)
    show([_table(speeds)], [])


def _settings(folder: Path) -> list[Setting]:
    files = ModelFiles(folder, EVERYDAY)
    make_checkpoint(files, Path(sys.executable))
    engines = Engines(files, folder)
    arguments = {"num_threads": cpu_limit(), "compiled": False}
    beside = Setting("transformers", Path(sys.executable), "transformers_engine", files.checkpoint, arguments)
    return [engines.regard(32), beside]


def _speed(running: RunningEngine, run: Run) -> float:
    """Tokens per second."""
    options = {"attention": True} if run.attention else {}
    answer = running.worker.call("run", **run.job.arguments, **options)
    return float(answer["num_tokens"] / answer["seconds"])


def _table(speeds: dict[str, list[float]]) -> Table:
    ratios = {
        "Regard over transformers, 1 at a time": ("single", "transformers, single"),
        "Regard over transformers, batches of 32": ("batched", "transformers, batched"),
        "Regard, batches of 32 over 1 at a time": ("batched", "single"),
        "Regard, with all cross-attention over without": ("with maps", "batched"),
    }
    rows = []
    for title, (first, second) in ratios.items():
        spread = Spread.of([a / b for a, b in zip(speeds[first], speeds[second], strict=True)], 3)
        rows.append([title, spread.text()])
    return Table("Tokens a second, everyday: ratio, median (least to most)", ["", "ratio"], rows)


if __name__ == "__main__":
    main()
