"""`python -m benchmarks.serving`: measures the server's start, memory, latency and throughput."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from benchmarks.harness.measurement import circumstances
from benchmarks.harness.process import resident_mb
from benchmarks.harness.served_model import ServedModel
from benchmarks.harness.servers import Server, ServerFailed, serve
from benchmarks.harness.tables import show
from benchmarks.serving.cold_start import measure_cold_start
from benchmarks.serving.load_generator import Load
from benchmarks.serving.serving_report import ServingReport
from benchmarks.serving.tasks import measure_tasks, measure_translation
from benchmarks.serving.throughput import QUICK, LoadFailed, Plan, Report, compare
from regard import Client, RegardError


@click.command(context_settings={"show_default": True})
@click.option("--quick", is_flag=True, help="A short, rough run.")
@click.option("--model", default="everyday", help="The model to serve and to measure.")
@click.option("--language", default="de", help="Language to translate into.")
@click.option(
    "--bundles", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="BUNDLES",
    help="Serve a bundle of this folder instead of the shipped ones.",
)  # fmt: skip
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write the results to this file.",
)  # fmt: skip
@click.pass_context
def main(
    context: click.Context, quick: bool, model: str, language: str, bundles: Path | None, json_file: Path | None
) -> None:
    """Starts `regard serve` on loopback and measures start, memory, latency and throughput."""
    before = circumstances(context, "benchmarks.serving")
    try:
        measured = _measure(bundles, model, language, quick)
    except (ServerFailed, LoadFailed, RegardError) as error:
        raise click.ClickException(str(error)) from error
    report = ServingReport(**before, quick=quick, language=language, **measured)
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)


def _measure(bundles: Path | None, model: str, language: str, quick: bool) -> dict[str, Any]:
    """Measures the report's fields one after the other."""
    plan = QUICK if quick else Plan()
    with Progress(console=Console(stderr=True)) as progress:
        total = 2 + len(plan.clients) * plan.scaling_rounds + 2 * plan.alignment_rounds
        bar = progress.add_task("starts", total=total)
        cold_start = measure_cold_start(bundles, model, language, 2 if quick else 7)
        progress.update(bar, advance=1, description="latency")
        num_requests = 40 if quick else 400
        tasks = measure_tasks(bundles, num_requests)
        with serve(bundles, models=(model,)) as server:
            server.wait_until_healthy()
            with Client(server.target) as client:
                latency = measure_translation(client, model, language, num_requests)
            progress.update(bar, advance=1, description="throughput")
            comparisons = _compare(server, model, language, plan, lambda: progress.advance(bar))
            return {
                "model": _served(server.target, model),
                "cold_start": cold_start,
                "latency": latency,
                "tasks": tasks,
                **comparisons,
                "resident_after_load_mb": _rounded(resident_mb(server.process.pid)),
            }


def _compare(server: Server, model: str, language: str, plan: Plan, report: Report) -> dict[str, Any]:
    def load(num_clients: int, alignment: bool = False) -> Load:
        return Load(
            target=server.target,
            model=model,
            language=language,
            num_clients=num_clients,
            alignment=alignment,
            warmup_s=plan.warmup_s,
            duration_s=plan.duration_s,
            server_pid=server.process.pid,
        )

    most = plan.clients[-1]
    return {
        "scaling": compare([load(count) for count in plan.clients], plan.scaling_rounds, report),
        "alignment": compare([load(most), load(most, alignment=True)], plan.alignment_rounds, report),
    }


def _served(target: str, model: str) -> ServedModel:
    with Client(target) as client:
        return ServedModel.of(client.model(model))


def _rounded(megabytes: float | None) -> float | None:
    return None if megabytes is None else round(megabytes, 1)


if __name__ == "__main__":
    main()
