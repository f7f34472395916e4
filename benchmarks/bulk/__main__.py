"""`python -m benchmarks.bulk`: a corpus into files, beside the rate of a server that is never idle."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from pydantic import BaseModel

from benchmarks.bulk.bulk_report import AlignedRound, BulkReport, Round
from benchmarks.bulk.run_worker import How, Ran, Work, sentences
from benchmarks.harness.measurement import circumstances
from benchmarks.harness.servers import Server, serve
from benchmarks.harness.tables import show
from benchmarks.serving.load_generator import Load, LoadResult

MODEL, LANGUAGE = "everyday", "de"
NUM_CLIENTS = 64


@click.command(context_settings={"show_default": True})
@click.option("--rows", default=5_000, help="Rows of a round's corpus.")
@click.option("--times", type=click.IntRange(2), default=10, help="How many times as long the last corpus is.")
@click.option("--rounds", default=3, help="Rounds, each of many clients, client.map and a corpus.")
@click.option("--aligned-rounds", default=5, help="Rounds with alignments, each of full batches and client.map.")
@click.option("--seconds", default=8.0, help="Length of the many clients' load.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there.")
@click.pass_context
def main(
    context: click.Context,
    rows: int,
    times: int,
    rounds: int,
    aligned_rounds: int,
    seconds: float,
    json_file: Path | None,
) -> None:
    """Measures corpora against a server of the model everyday. The exit status is 1 if a bound is missed."""
    before = circumstances(context, "benchmarks.bulk")
    flags = ("--log-level=warning",)
    with serve(models=(MODEL,), flags=flags) as server, tempfile.TemporaryDirectory() as folder:
        server.wait_until_healthy()
        found = [measure(server, Path(folder), rows, number, seconds) for number in range(rounds)]
        longest = run_corpus(server, Path(folder) / "long.jsonl", times * rows, is_sampled=True)
        aligned = [measure_aligned(server, rows, number % 2 == 1) for number in range(aligned_rounds)]
    report = BulkReport(
        **before,
        num_rows=rows,
        num_clients=NUM_CLIENTS,
        rounds=tuple(each for each, _ in found),
        aligned=tuple(aligned),
        peak_mb={rows: max(peak for _, peak in found), times * rows: longest.peak_mb},
        samples=longest.samples,
        long_rate=round(times * rows / longest.seconds, 1),
    )
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)
    context.exit(0 if report.is_met else 1)


def measure(server: Server, folder: Path, num_rows: int, number: int, seconds: float) -> tuple[Round, float]:
    """One round, with the peak of memory of its corpus in MB."""
    load = Load(
        target=server.target, model=MODEL, language=LANGUAGE, num_clients=NUM_CLIENTS, warmup_s=2.0, duration_s=seconds
    )
    clients = LoadResult.model_validate_json(child("benchmarks.serving.load_generator", load))
    mapped = run_sentences(server, "map", num_rows)
    written = run_corpus(server, folder / f"{number}.jsonl", num_rows)
    rates = (clients.requests_per_s, num_rows / mapped.seconds, num_rows / written.seconds)
    named = dict(zip(("clients", "mapped", "written"), (round(rate, 1) for rate in rates), strict=True))
    return Round(**named), written.peak_mb


def run_corpus(server: Server, path: Path, num_rows: int, *, is_sampled: bool = False) -> Ran:
    """Writes a corpus, and runs it in a process of its own. Args: is_sampled: whether memory is, meanwhile."""
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(sentences(num_rows)):
            file.write(json.dumps({"custom_id": f"{number}", "text": text}) + "\n")
    pid = server.process.pid if is_sampled else None
    about = {"target": server.target, "model": MODEL, "language": LANGUAGE, "num_rows": num_rows}
    work = Work(**about, how="corpus", corpus=path, server_pid=pid)
    return Ran.model_validate_json(child("benchmarks.bulk.run_worker", work))


def measure_aligned(server: Server, num_rows: int, map_first: bool) -> AlignedRound:
    """One round with alignments, in either order."""
    order: tuple[How, ...] = (
        ("map_with_alignment", "full_batches") if map_first else ("full_batches", "map_with_alignment")
    )
    rates = {how: round(num_rows / run_sentences(server, how, num_rows).seconds, 1) for how in order}
    return AlignedRound(full_batches=rates["full_batches"], mapped=rates["map_with_alignment"])


def run_sentences(server: Server, how: How, num_rows: int) -> Ran:
    """Runs sentences without files, in a process of its own."""
    work = Work(target=server.target, model=MODEL, language=LANGUAGE, how=how, num_rows=num_rows)
    return Ran.model_validate_json(child("benchmarks.bulk.run_worker", work))


def child(module: str, given: BaseModel) -> str:
    """Standard output of a process that runs a module with this JSON as its standard input."""
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, input=given.model_dump_json(), stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    main()
