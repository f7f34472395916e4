"""`python -m benchmarks.terms --data DIR`: terms cut from references, through a server."""

from collections.abc import Iterator
from pathlib import Path

import click

import regard
from benchmarks.harness.measurement import circumstances
from benchmarks.harness.servers import ServerFailed, serve
from benchmarks.harness.tables import show
from benchmarks.quality.alignment import Aligner
from benchmarks.quality.corpus import read_lines
from benchmarks.terms.cutting import cut_terms
from benchmarks.terms.placement import measure_placement
from benchmarks.terms.terms_report import TermsReport
from benchmarks.terms.throughput import measure_throughput
from regard_service.bundle import Bundle, zoo_folder


@click.command(context_settings={"show_default": True})
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR", required=True)
@click.option("--model", default="everyday", metavar="NAME", help="Model to measure; its alignment cuts the terms.")
@click.option("--to", default="de", metavar="LANGUAGE", help="Language to translate into.")
@click.option(
    "--bundles", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Instead of the shipped."
)
@click.option("--limit", default=1000, metavar="N", help="Sentences of each data set.")
@click.option("--beams", multiple=True, default=(1, 4), help="Numbers of beams.")
@click.option("--seed", default=1, metavar="N", help="Chooses the terms.")
@click.option("--throughput/--no-throughput", default=True, help="Whether to measure what terms cost.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write the results to this file.",
)  # fmt: skip
@click.pass_context
def main(
    context: click.Context,
    data: Path,
    model: str,
    to: str,
    bundles: Path | None,
    limit: int,
    beams: tuple[int, ...],
    seed: int,
    throughput: bool,
    json_file: Path | None,
) -> None:
    """Measures whether terms are used, in their place, and what they cost.

    DIR contains tatoeba/en-LANGUAGE and libreoffice_help, as the benchmark of quality reads them.
    """
    before = circumstances(context, "benchmarks.terms")
    folder = (bundles or zoo_folder()) / model
    aligner = Aligner(Bundle.load(folder))
    cases = {name: list(cut_terms(aligner, pairs, to, seed)) for name, pairs in _pairs(data, to, limit)}
    placements = []
    try:
        with serve(bundles, models=(model,)) as server:
            server.wait_until_healthy()
            with regard.Client(server.target) as client:
                for name, of_data in cases.items():
                    placements += [measure_placement(client, name, of_data, model, to, each) for each in beams]
    except (regard.RegardError, ServerFailed) as error:
        raise click.ClickException(str(error)) from error
    every = [case for of_data in cases.values() for case in of_data]
    throughputs = tuple(measure_throughput(folder, every, to, each) for each in beams) if throughput else ()
    report = TermsReport(**before, model=model, placements=tuple(placements), throughputs=throughputs)
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)


def _pairs(data: Path, to: str, limit: int) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    tatoeba = data / "tatoeba" / f"en-{to}"
    yield "Tatoeba", _read(tatoeba / "dev.en.gz", tatoeba / f"dev.{to}.gz", limit)
    libreoffice = data / "libreoffice_help"
    stem = libreoffice / f"dev.en-{to}"
    yield "LibreOffice", _read(Path(f"{stem}.en.gz"), Path(f"{stem}.{to}.gz"), limit)


def _read(sources: Path, references: Path, limit: int) -> list[tuple[str, str]]:
    return list(zip(read_lines(sources, limit), read_lines(references, limit), strict=True))


if __name__ == "__main__":
    main()
