"""`python -m deploy.loadtest SCENARIO --server HOST:PORT`: puts a scenario's load on a server."""

import asyncio
from pathlib import Path

import click
import uvloop

from benchmarks.harness.measurement import circumstances
from benchmarks.harness.tables import show
from benchmarks.loadtest.load_report import LoadReport
from benchmarks.loadtest.runner import Runner
from benchmarks.loadtest.scenario import Scenario


@click.command(context_settings={"show_default": True})
@click.argument("file", metavar="SCENARIO", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--server", metavar="HOST:PORT", default="localhost:50051", help="The server to load; yours, that is.")
@click.option("--duration", type=float, metavar="SECONDS", help="Instead of the scenario's time that counts.")
@click.option("--rate", type=float, metavar="CALLS", help="Instead of the scenario's calls a second, open loop.")
@click.option("--clients", type=int, metavar="N", help="Instead of the scenario's clients, closed loop.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write what was found.")
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE", help="Draw it, as SVG, PNG or PDF.")
@click.pass_context
def main(
    context: click.Context,
    file: Path,
    server: str,
    duration: float | None,
    rate: float | None,
    clients: int | None,
    json_file: Path | None,
    picture: Path | None,
) -> None:
    """Runs a scenario. The exit status is 1 if a call failed."""
    before = circumstances(context, "deploy.loadtest")
    scenario = changed(Scenario.read(file), duration, rate, clients)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcomes = runner.run(Runner(scenario, server).run())
    report = LoadReport.model_validate({**before, **LoadReport.results(scenario, outcomes)})
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)
    if picture is not None:
        from benchmarks.loadtest.load_picture import draw  # matplotlib, where it is wanted only

        draw(scenario, outcomes, picture)
    context.exit(1 if report.total.num_failed else 0)


def changed(scenario: Scenario, duration: float | None, rate: float | None, clients: int | None) -> Scenario:
    """The scenario with what the command line says instead.

    Raises:
        ClickException: what was said does not fit the scenario.
    """
    arrivals = scenario.arrivals.model_dump()
    for name, value in (("rate_per_s", rate), ("clients", clients)):
        if value is not None and name not in arrivals:
            raise click.ClickException(
                f"scenario {scenario.name} has no {name}; its arrivals are {arrivals['process']}"
            )
        if value is not None:
            arrivals[name] = value
    fields = scenario.model_dump() | {"arrivals": arrivals}
    if duration is not None:
        fields["duration_s"] = duration
    return Scenario.model_validate(fields)


if __name__ == "__main__":
    main()
