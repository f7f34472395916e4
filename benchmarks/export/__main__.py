"""`python -m benchmarks.export`: measures the export of a checkpoint as large as Marian-base."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.export.export_report import ExportReport, StageCost
from benchmarks.export.large_checkpoint import write_checkpoint
from benchmarks.harness.measurement import circumstances
from benchmarks.harness.tables import show
from regard_export.families.loading import load_source_model
from regard_export.writing.variants import write_variant
from regard_service.bundle import Precision

MEASURED: Precision = "int8"
COMPARED: Precision = "float32"


@click.command()
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write the results to this file.",
)  # fmt: skip
@click.pass_context
def main(context: click.Context, json_file: Path | None) -> None:
    """Measures time, memory and size of an int8 export with verification."""
    before = circumstances(context, "benchmarks.export")
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        checkpoint_bytes = write_checkpoint(folder / "checkpoint")
        stages = _export(folder / "checkpoint", folder / "bundle")
        sizes = {MEASURED: _size(folder / "bundle" / MEASURED), COMPARED: _graphs(folder, COMPARED)}
    report = ExportReport(**before, checkpoint_bytes=checkpoint_bytes, stages=stages, bundle_bytes=sizes)
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)


def _export(checkpoint: Path, out: Path) -> tuple[StageCost, ...]:
    command = [sys.executable, "-m", "benchmarks.export.timed_export", str(checkpoint), str(out), MEASURED]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return tuple(StageCost.model_validate(stage) for stage in json.loads(printed.splitlines()[-1]))


def _graphs(folder: Path, precision: Precision) -> int:
    """Builds the graphs of a precision, without verification; returns their size."""
    write_variant(folder, load_source_model(folder / "checkpoint"), precision)
    return _size(folder / precision)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


if __name__ == "__main__":
    main()
