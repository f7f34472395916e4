"""`python -m deploy.loadtest SCENARIO --server HOST:PORT`: sends a scenario's load to a server."""

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
@click.option("--server", metavar="HOST:PORT", default="localhost:50051", help="The server to load; use your own.")
@click.option("--http", metavar="HOST:PORT", default="localhost:8080", help="Its HTTP port, for calls of doors.")
@click.option("--duration", type=float, metavar="SECONDS", help="Replaces the scenario's duration.")
@click.option("--rate", type=float, metavar="CALLS", help="Replaces the scenario's calls per second (open loop).")
@click.option("--clients", type=int, metavar="N", help="Replaces the scenario's number of clients (closed loop).")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the results to this file."
)
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE", help="Draw the results as SVG, PNG or PDF.")
@click.pass_context
def main(
    context: click.Context,
    file: Path,
    server: str,
    http: str,
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
        outcomes = runner.run(Runner(scenario, server, http).run())
    report = LoadReport.model_validate({**before, **LoadReport.results(scenario, outcomes)})
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)
    if picture is not None:
        from benchmarks.loadtest.load_picture import draw  # imports matplotlib

        draw(scenario, outcomes, picture)
    context.exit(1 if report.total.num_failed else 0)


def changed(scenario: Scenario, duration: float | None, rate: float | None, clients: int | None) -> Scenario:
    """The scenario with values of the command line.

    Raises:
        ClickException: the scenario's kind of arrivals lacks a given value.
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
