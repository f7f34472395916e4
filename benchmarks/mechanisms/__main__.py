"""`python -m benchmarks.mechanisms --data DIR`: compares attention mechanisms on one task, through the server."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from benchmarks.harness.measurement import circumstances
from benchmarks.harness.servers import ServerFailed, serve
from benchmarks.harness.tables import show
from benchmarks.mechanisms.alignments import attend
from benchmarks.mechanisms.mechanisms_report import Mechanism, MechanismsReport
from benchmarks.quality.corpus import data_folder, read_lines
from benchmarks.quality.multi30k import Multi30k
from benchmarks.quality.run import Options, measure
from benchmarks.quality.task import LeftOut
from regard import RegardError

SPLIT, LANGUAGE = "test_2016_flickr", "de"
MECHANISMS = {
    "multi30k": "scaled dot, 4 heads, 2 layers (transformer)",
    "multi30k-bahdanau": "additive, from the previous state (GRU)",
    "multi30k-luong": "general, from the present state, input feeding (LSTM)",
}


@click.command(context_settings={"show_default": True})
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR", required=True)
@click.option(
    "--bundles", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="BUNDLES",
    help="Serve the bundles in this folder instead of the shipped ones.",
)  # fmt: skip
@click.option("--sentences", type=click.IntRange(1), default=200, help="Number of sentences sent one at a time.")
@click.option("--limit", type=click.IntRange(1), help="Maximum number of scored sentences.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write the results to this file.",
)  # fmt: skip
@click.pass_context
def main(
    context: click.Context,
    data: Path,
    bundles: Path | None,
    sentences: int,
    limit: int | None,
    json_file: Path | None,
) -> None:
    """Translates Multi30k with models of different attention, and compares outputs, speed and alignments.

    DIR contains the folder multi30k. The report lists models that the server lacks; if it lacks all, the exit status is
    1.
    """
    before = circumstances(context, "benchmarks.mechanisms")
    try:
        measured = _measure(data, bundles, sentences, limit)
    except* (LeftOut, RegardError, ServerFailed) as failed:
        raise click.ClickException("\n".join(dict.fromkeys(map(str, failed.exceptions)))) from failed
    report = MechanismsReport(**before, **measured)
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)
    sys.exit(0 if report.mechanisms else 1)


def _measure(data: Path, bundles: Path | None, num_sentences: int, limit: int | None) -> dict[str, Any]:
    """Measures the report's fields: scores first, then alignments."""
    texts = read_lines(data_folder(data, Multi30k.name) / f"{SPLIT}.en.gz", num_sentences)
    options = Options(data, [Multi30k()], models=tuple(MECHANISMS), limit=limit)
    with serve(bundles) as server, Progress(console=Console(stderr=True)) as progress:
        server.wait_until_healthy()
        outcome = asyncio.run(measure(server.target, options, progress))
        scores = {score.model.name: score for score in outcome.scores if score.split == SPLIT}
        attending = attend(server.target, list(scores), LANGUAGE, texts, progress)
    mechanisms = [
        Mechanism(attention=MECHANISMS[name], score=score, attending=attends)
        for (name, score), attends in zip(scores.items(), attending, strict=True)
    ]
    return {"mechanisms": tuple(mechanisms), "left_out": tuple(outcome.left_out)}


if __name__ == "__main__":
    main()
