"""`python -m benchmarks.peers`: Regard beside CTranslate2, transformers and optimum."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from benchmarks.peers.engines import CTRANSLATE2, OPTIMUM, TRANSFORMERS
from benchmarks.peers.environments import NAMES, InstallFailed, install
from benchmarks.peers.models import ConversionFailed, Forms, prepare
from benchmarks.peers.report import PeersReport
from benchmarks.peers.results import RowResult, merged
from benchmarks.peers.rounds import QUICK, Plan
from benchmarks.peers.rows import Context, Row
from benchmarks.peers.table import ROWS
from benchmarks.peers.worker import REPOSITORY, WorkerFailed
from benchmarks.results import circumstances
from benchmarks.tables import show

PEERS = {name.lower(): name for name in (CTRANSLATE2, TRANSFORMERS, OPTIMUM)}
FOLDER = REPOSITORY / "runs" / "peers"


def _rows(context: click.Context, parameter: click.Parameter, value: str | None) -> list[Row]:
    """Rows by name; a name's beginning stands for all that begin so."""
    wanted = [name.strip() for name in value.split(",")] if value else [""]
    unknown = [name for name in wanted if not any(row.name.startswith(name) for row in ROWS)]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}; there are {', '.join(row.name for row in ROWS)}")
    return [row for row in ROWS if any(row.name.startswith(name) for name in wanted)]


@click.command(context_settings={"show_default": True})
@click.option("--rows", callback=_rows, help="Comma-separated rows, or how their names begin; all unless given.")
@click.option("--peers", default=",".join(PEERS), help="Comma-separated; who takes part beside Regard.")
@click.option("--quick", is_flag=True, help="Few rounds, for a glance.")
@click.option("--stale", is_flag=True, help="Take bundles as they are, though what exports them has changed since.")
@click.option("--prepare", "only_prepare", is_flag=True, help="Only install the peers and make the models.")
@click.option(
    "--folder", default=FOLDER, type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    show_default="runs/peers", help="Where the peers' environments and the models are kept.",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="Data sets, for BLEU on real sentences.",
)  # fmt: skip
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Put the rows into this file, beside those of other rows measured earlier.",
)  # fmt: skip
@click.pass_context
def main(
    context: click.Context,
    rows: list[Row],
    peers: str,
    quick: bool,
    stale: bool,
    only_prepare: bool,
    folder: Path,
    data: Path | None,
    json_file: Path | None,
) -> None:
    """Compares Regard with its peers, row by row."""
    before = circumstances(context, "benchmarks.peers")
    chosen = frozenset(PEERS[name.strip()] for name in peers.split(",") if name.strip())
    console = Console(stderr=True, highlight=False)
    stage = console.print
    measuring = Context(folder, folder / "environments", data, QUICK if quick else Plan(), chosen, stale, stage)
    try:
        _prepare(measuring, rows)
    except (InstallFailed, WorkerFailed, ConversionFailed) as error:
        raise click.ClickException(str(error)) from error
    if only_prepare:
        return
    found: list[RowResult] = []
    failed = []
    for row in rows:
        console.print(f"[bold]{row.title}[/bold]")
        try:
            found.append(_measured(row, measuring, str(before["commit"]), quick))
        except WorkerFailed as error:
            failed.append(row.name)
            console.print(f"{row.name} failed: {error}", markup=False)
            continue
        if json_file is not None:
            _report(before, found, json_file).write(json_file)
    show(*_shown(_report(before, found, None)))
    if failed:
        raise click.ClickException(f"rows failed: {', '.join(failed)}")


def _prepare(context: Context, rows: Sequence[Row]) -> None:
    for name in NAMES:
        context.stage(f"environment {name}")
        install(context.environments, name)
    for model in dict.fromkeys(row.model for row in rows):
        prepare(Forms(context.models, model), context.environments, context.stage, stale=context.stale)


def _measured(row: Row, context: Context, commit: str, quick: bool) -> RowResult:
    load, date = round(os.getloadavg()[0], 2), datetime.now(UTC).replace(microsecond=0)
    found = row.measure(context)
    return RowResult(
        name=row.name,
        title=row.title,
        date=date,
        commit=commit,
        load_before=load,
        quick=quick,
        figures=found.figures,
        engines=found.engines,
        notes=found.notes,
    )


def _report(before: dict[str, object], found: Sequence[RowResult], json_file: Path | None) -> PeersReport:
    """All rows, those that the file has from earlier too."""
    earlier: Sequence[RowResult] = ()
    if json_file is not None and json_file.exists():
        earlier = PeersReport.model_validate_json(json_file.read_text(encoding="utf-8")).rows
    order = [row.name for row in ROWS]
    return PeersReport.model_validate({**before, "rows": merged(earlier, found, order)})


def _shown(report: PeersReport) -> tuple[list[object], list[str]]:
    return list(report.tables()), list(report.notes())


if __name__ == "__main__":
    main()
