"""`python -m benchmarks.bulk.on_ray`: two engines in actors of Ray beside two in processes; needs `.venv-ray`."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import click

from benchmarks.bulk.bulk_report import RayReport, RayRound
from benchmarks.bulk.run_worker import sentences
from benchmarks.harness.measurement import circumstances
from benchmarks.harness.tables import show
from regard.calls.mapping import Batch, batches_of, in_flight
from regard.cli.tasks import Translate
from regard.ray.driver import BATCH_ROWS, Cluster, RayRunner

MODEL, LANGUAGE = "everyday", "de"
NUM_ENGINES = 2


@click.command(context_settings={"show_default": True})
@click.option("--rows", default=4_000, help="Sentences of a round.")
@click.option("--rounds", default=3, help="Rounds, each of processes and of actors.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there.")
@click.pass_context
def main(context: click.Context, rows: int, rounds: int, json_file: Path | None) -> None:
    """Measures engines of one worker each, once loaded. The exit status is 1 if a bound is missed."""
    before = circumstances(context, "benchmarks.bulk.on_ray")
    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray gives way to other processes; the other engines do not
    found = tuple(
        RayRound(processes=round(rows / by_processes(rows), 1), actors=round(rows / by_actors(rows), 1))
        for _ in range(rounds)
    )
    report = RayReport(**before, num_rows=rows, num_engines=NUM_ENGINES, rounds=found)
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)
    context.exit(0 if report.is_met else 1)


def by_processes(num_rows: int) -> float:
    """Seconds of the slower process, each of which runs its part of the rows."""
    command = [sys.executable, "-m", "benchmarks.bulk.engine_worker", MODEL, LANGUAGE, str(num_rows // NUM_ENGINES)]
    pipe = subprocess.PIPE
    with ExitStack() as stack:
        started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(NUM_ENGINES)]
        workers = [stack.enter_context(worker) for worker in started]
        if [_pipes(worker)[1].readline() for worker in workers] != ["ready\n"] * NUM_ENGINES:
            raise RuntimeError("an engine did not start")
        for worker in workers:
            _pipes(worker)[0].write("go\n")
            _pipes(worker)[0].flush()
        return max(float(_pipes(worker)[1].read()) for worker in workers)


def _pipes(worker: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    """Standard input and output of a process."""
    if worker.stdin is None or worker.stdout is None:
        raise ValueError("the process has no pipes")
    return worker.stdin, worker.stdout


def by_actors(num_rows: int) -> float:
    """Seconds until the driver has all results; actors start and load before."""
    cluster = Cluster("local", NUM_ENGINES)
    runner = RayRunner(cluster, Translate(LANGUAGE, {"priority": "bulk"}), "translation", MODEL)
    try:
        run_all(runner, cluster, 4 * BATCH_ROWS)
        begin = time.perf_counter()
        run_all(runner, cluster, num_rows)
        return time.perf_counter() - begin
    finally:
        runner.stop()


def run_all(runner: RayRunner, cluster: Cluster, num_rows: int) -> None:
    """Runs rows as `regard bulk` does, without files."""
    batches: Iterator[Batch] = batches_of(sentences(num_rows), BATCH_ROWS)
    for outcomes in in_flight(batches, runner.outcomes, cluster.concurrency):
        failed = next((outcome.error for outcome in outcomes if outcome.error is not None), None)
        if failed is not None:
            raise failed


if __name__ == "__main__":
    main()
