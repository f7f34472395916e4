"""`python -m benchmarks.quality --data DIR`: scores the outputs of served bundles."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import sacrebleu
from rich.console import Console
from rich.progress import Progress

from benchmarks.harness.measurement import circumstances
from benchmarks.harness.servers import ServerFailed, serve
from benchmarks.harness.tables import show
from benchmarks.quality import alignment
from benchmarks.quality.aeslc import Aeslc
from benchmarks.quality.figures import Figures
from benchmarks.quality.flickr8k import Flickr8k
from benchmarks.quality.libreoffice_help import LibreofficeHelp
from benchmarks.quality.multi30k import Multi30k
from benchmarks.quality.plain import Plain
from benchmarks.quality.quality_report import QualityReport
from benchmarks.quality.reuters import Reuters
from benchmarks.quality.run import Options, Outcome, measure
from benchmarks.quality.task import LeftOut, Task
from benchmarks.quality.tatoeba import Tatoeba
from regard import RegardError
from regard_service.bundle import zoo_folder

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Tatoeba(), LibreofficeHelp(), Plain(), Figures(), Multi30k(), Aeslc(), Reuters(), Flickr8k()
    )
}  # fmt: skip

ALIGNED_MODELS = ("everyday",)


@click.command(context_settings={"show_default": True})
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR", required=True)
@click.option("--server", metavar="HOST:PORT", help="Measure this server; by default the benchmark starts one.")
@click.option(
    "--bundles", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="BUNDLES",
    help="Serve the bundles in this folder instead of the shipped ones.",
)  # fmt: skip
@click.option("--tasks", type=click.Choice([*TASKS, alignment.NAME]), multiple=True, help="Data sets; by default all.")
@click.option("--models", metavar="NAME", multiple=True, help="Models; by default those trained for the data sets.")
@click.option("--beams", type=click.IntRange(1, 16), help="Number of beams; by default the task's.")
@click.option("--limit", type=click.IntRange(1), help="Maximum number of inputs per set.")
@click.option(
    "--outputs", type=click.Path(file_okay=False, path_type=Path), metavar="OUTPUTS",
    help="Write the outputs into this folder.",
)  # fmt: skip
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write the results to this file.",
)  # fmt: skip
@click.pass_context
def main(
    context: click.Context,
    data: Path,
    server: str | None,
    bundles: Path | None,
    tasks: tuple[str, ...],
    models: tuple[str, ...],
    beams: int | None,
    limit: int | None,
    outputs: Path | None,
    json_file: Path | None,
) -> None:
    """Sends data sets through a server and scores the outputs.

    DIR contains the data sets' folders: tatoeba, libreoffice_help, multi30k, aeslc, reuters21578_headlines, flickr8k,
    alignment. The report lists missing ones; if all are missing, the exit status is 1.
    """
    options = Options(data, [TASKS[name] for name in tasks or TASKS if name in TASKS], models, beams, limit, outputs)
    before = circumstances(context, "benchmarks.quality")
    try:
        outcome = _measure(server, bundles, options)
    except* (RegardError, ServerFailed) as failed:
        raise click.ClickException("\n".join(dict.fromkeys(map(str, failed.exceptions)))) from failed
    if not tasks or alignment.NAME in tasks:
        _measure_alignment(server, bundles, options, outcome)
    report = QualityReport(
        **before,
        sacrebleu=f"nrefs:1, case:mixed, tok:13a, smooth:exp, version:{sacrebleu.__version__}",
        scores=tuple(outcome.scores),
        left_out=tuple(outcome.left_out),
    )
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)
    sys.exit(0 if report.scores else 1)


def _measure(server: str | None, bundles: Path | None, options: Options) -> Outcome:
    with _target(server, bundles) as target, Progress(console=Console(stderr=True)) as progress:
        return asyncio.run(measure(target, options, progress))


def _measure_alignment(server: str | None, bundles: Path | None, options: Options, outcome: Outcome) -> None:
    """Adds the scores of bundles in a folder: a given server has none."""
    for name in options.models or ALIGNED_MODELS:
        try:
            if server is not None:
                raise LeftOut("needs the bundle, not a server")
            folder = (bundles or zoo_folder()) / name
            if not folder.is_dir():
                raise LeftOut("there is no such bundle")
            outcome.scores.extend(alignment.measure_alignment(folder, options.data, options.limit))
        except LeftOut as missing:
            outcome.left_out.append(f"{name} on {alignment.NAME}: {missing}")


@contextmanager
def _target(server: str | None, bundles: Path | None) -> Iterator[str]:
    """The address of the given server, or of one that runs within the context."""
    if server is not None:
        yield server
        return
    with serve(bundles) as started:
        started.wait_until_healthy()
        yield started.target


if __name__ == "__main__":
    main()
