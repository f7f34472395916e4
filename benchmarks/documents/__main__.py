"""`python -m benchmarks.documents --data DIR`: texts as people have them, through a server."""

import gzip
from pathlib import Path

import click

import regard
from benchmarks.documents.cost import measure_cost
from benchmarks.documents.documents_report import DocumentsReport
from benchmarks.documents.joined import measure_joined
from benchmarks.documents.layouts import measure_layout
from benchmarks.harness.measurement import circumstances
from benchmarks.harness.servers import ServerFailed, serve
from benchmarks.harness.tables import show


@click.command(context_settings={"show_default": True})
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR", required=True)
@click.option("--model", default="everyday", metavar="NAME", help="Model to measure.")
@click.option("--to", default="de", metavar="LANGUAGE", help="Language to translate into.")
@click.option(
    "--bundles", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Instead of the shipped."
)
@click.option("--seed", default=1, metavar="N", help="Chooses the sentences of the documents.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write the results to this file.",
)  # fmt: skip
@click.pass_context
def main(
    context: click.Context, data: Path, model: str, to: str, bundles: Path | None, seed: int, json_file: Path | None
) -> None:
    """Measures sentences lost, layout kept, and the cost of both.

    DIR contains tatoeba/en-LANGUAGE with dev.en.gz and dev.LANGUAGE.gz.
    """
    folder = data / "tatoeba" / f"en-{to}"
    sources, references = (_lines(folder / f"dev.{language}.gz") for language in ("en", to))
    before = circumstances(context, "benchmarks.documents")
    try:
        with serve(bundles, models=(model,)) as server:
            server.wait_until_healthy()
            with regard.Client(server.target) as client:
                report = DocumentsReport(
                    **before,
                    model=model,
                    to=to,
                    joined=tuple(measure_joined(client, sources, references, model, to, seed)),
                    layout=measure_layout(client, sources, model, to, seed),
                    cost=measure_cost(client, sources, model, to, server.process.pid),
                )
    except (regard.RegardError, ServerFailed) as error:
        raise click.ClickException(str(error)) from error
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)


def _lines(file: Path) -> list[str]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [line.strip() for line in lines]


if __name__ == "__main__":
    main()
