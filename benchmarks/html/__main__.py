"""`python -m benchmarks.html`: measures the HTML page in a browser and the drawing of heatmaps."""

import tempfile
from pathlib import Path

import click

from benchmarks.harness.measurement import circumstances
from benchmarks.harness.tables import show
from benchmarks.html.drawing import measure_drawing
from benchmarks.html.html_report import HtmlReport
from benchmarks.html.opening import BrowserMissing, Opening, measure_opening


@click.command(context_settings={"show_default": True})
@click.option("--rounds", type=click.IntRange(1), default=15, help="Number of page loads, and of drawings per format.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write the results to this file.",
)  # fmt: skip
@click.pass_context
def main(context: click.Context, rounds: int, json_file: Path | None) -> None:
    """Opens and uses a large page in Chromium, and draws heatmaps.

    The page needs Chromium and Node; without them only heatmaps are measured.
    """
    before = circumstances(context, "benchmarks.html")
    drawings = tuple(measure_drawing(form, rounds) for form in ("png", "svg"))
    report = HtmlReport(**before, opening=_opening(rounds), drawings=drawings)
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)


def _opening(rounds: int) -> Opening | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return measure_opening(Path(folder), rounds)
        except BrowserMissing as missing:
            click.echo(f"The page is not measured: {missing}.", err=True)
            return None


if __name__ == "__main__":
    main()
