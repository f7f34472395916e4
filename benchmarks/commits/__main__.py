"""`python -m benchmarks.commits --before REV`: compares the processor time of two commits."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from benchmarks.commits.commits_report import MIN_PAIRS, CommitsReport, ComparedRow, Side
from benchmarks.commits.pairs import Stage, sample_pairs
from benchmarks.commits.rows import PRECISION, ROWS, Plan, Row
from benchmarks.commits.worktrees import CheckoutFailed, checked_out
from benchmarks.harness.checkouts import REPOSITORY, Checkout
from benchmarks.harness.measurement import circumstances
from benchmarks.harness.servers import ServerFailed
from benchmarks.harness.tables import show
from benchmarks.peers.models import MARIAN, ConversionFailed, ModelFiles, export_bundle, make_checkpoint
from benchmarks.peers.worker import WorkerFailed


@click.command(context_settings={"show_default": True})
@click.option("--before", required=True, metavar="REV", help="The commit to compare with.")
@click.option("--after", metavar="REV", show_default="the working tree", help="The commit that may be worse.")
@click.option("--pairs", default=MIN_PAIRS, type=click.IntRange(min=2), help="Samples of each commit per row.")
@click.option("--seconds", default=3.0, type=click.FloatRange(min=0.5), help="Length of a sample.")
@click.option("--rows", default=",".join(row.name for row in ROWS), help="Comma-separated.")
@click.option(
    "--folder", default=REPOSITORY / "runs" / "commits", type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER", show_default="runs/commits", help="Where the larger model's checkpoint and bundle are kept.",
)  # fmt: skip
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write the results to this file.",
)  # fmt: skip
@click.pass_context
def main(
    context: click.Context,
    before: str,
    after: str | None,
    pairs: int,
    seconds: float,
    rows: str,
    folder: Path,
    json_file: Path | None,
) -> None:
    """Measures two commits in alternation. The exit status is 1 if a row is worse."""
    fields = circumstances(context, "benchmarks.commits")
    plan, stage = Plan(seconds, ModelFiles(folder.resolve(), MARIAN)), Console(stderr=True, highlight=False).print
    try:
        with checked_out(before) as first, checked_out(after) as second:
            compared = _measure(chosen_rows(rows), (first, second), plan, pairs, stage)
    except (CheckoutFailed, WorkerFailed, ConversionFailed, ServerFailed) as error:
        raise click.ClickException(str(error)) from error
    report = CommitsReport.model_validate(
        {**fields, "before": first.name, "after": second.name, "seconds": seconds, "rows": compared}
    )
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)
    context.exit(1 if report.worse else 0)


def chosen_rows(names: str) -> list[Row]:
    """Selects rows by comma-separated names.

    Raises:
        BadParameter: a name is unknown.
    """
    by_name = {row.name: row for row in ROWS}
    chosen = [name.strip() for name in names.split(",")]
    unknown = [name for name in chosen if name not in by_name]
    if unknown:
        raise click.BadParameter(f"no row {', '.join(unknown)}; there are {', '.join(by_name)}")
    return [by_name[name] for name in chosen]


def _measure(
    rows: Sequence[Row], checkouts: tuple[Checkout, Checkout], plan: Plan, num_pairs: int, stage: Stage
) -> list[ComparedRow]:
    if any(row.needs_large_model for row in rows):
        _prepare(plan.files, checkouts[0], stage)
    return [_compared(row, checkouts, plan, num_pairs, stage) for row in rows]


def _prepare(files: ModelFiles, exporter: Checkout, stage: Stage) -> None:
    """Makes the checkpoint once, and the bundle once per earlier commit: later commits load it too."""
    if not files.checkpoint.exists():
        stage(f"{files.model.name}: making the checkpoint")
        make_checkpoint(files, Path(sys.executable))
    export_bundle(files, stage, key=exporter.name, precisions=(PRECISION,), checkout=exporter)


def _compared(row: Row, checkouts: tuple[Checkout, Checkout], plan: Plan, num_pairs: int, stage: Stage) -> ComparedRow:
    stage(f"[bold]{row.title}[/bold]")
    before, after = sample_pairs(partial(row.open, checkouts, plan), num_pairs, stage)
    return ComparedRow(name=row.name, title=row.title, unit=row.unit, before=Side.of(before), after=Side.of(after))


if __name__ == "__main__":
    main()
