"""`python -m benchmarks.capacity`: measures how much load a replica carries."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import uvloop
from rich.console import Console
from rich.progress import Progress

from benchmarks.capacity.capacity_report import CapacityReport, OpenLevel, ReplicaLevel
from benchmarks.harness.checkouts import REPOSITORY
from benchmarks.harness.measurement import circumstances
from benchmarks.harness.servers import serve
from benchmarks.harness.spread import Spread
from benchmarks.harness.tables import show
from benchmarks.loadtest.load_report import LoadReport, PartResult, Percentiles
from benchmarks.loadtest.runner import Outcome, Runner
from benchmarks.loadtest.scenario import Closed, Poisson, Scenario

SCENARIO = REPOSITORY / "deploy" / "loadtest" / "scenarios" / "closed.toml"
CLIENTS_A_REPLICA = 16
WORKERS = 1
SHARES = (0.3, 0.5, 0.7, 0.8, 0.9)


@click.command(context_settings={"show_default": True})
@click.option("--quick", is_flag=True, help="A short, rough run.")
@click.option("--replicas", default=2, help="The largest number of replicas; all share this machine's cores.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there.")
@click.pass_context
def main(context: click.Context, quick: bool, replicas: int, json_file: Path | None) -> None:
    """Loads replicas with one worker each and the model everyday, on loopback."""
    before = circumstances(context, "benchmarks.capacity")
    rounds, seconds = (1, 3.0) if quick else (3, 10.0)
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("capacity", total=rounds * replicas + len(SHARES))
        results: dict[int, list[dict[str, Any]]] = {count: [] for count in range(1, replicas + 1)}
        for _ in range(rounds):
            for count, found in results.items():
                found.append(measure(count, closed(count, seconds)))
                progress.advance(bar)
        levels = tuple(level(count, found) for count, found in results.items())
        arrivals = []
        for share in SHARES:
            rate = share * levels[0].calls_per_s.median
            arrivals.append(open_level(share, rate, measure(1, open_loop(rate, seconds))))
            progress.advance(bar)
    report = CapacityReport(**before, quick=quick, workers=WORKERS, replicas=levels, arrivals=tuple(arrivals))
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)


def closed(num_replicas: int, seconds: float) -> Scenario:
    """The scenario with a fixed number of callers per replica."""
    arrivals = Closed(process="closed", clients=CLIENTS_A_REPLICA * num_replicas)
    changes = {"duration_s": seconds, "retries": True, "connections": 4, "arrivals": arrivals}
    return Scenario.read(SCENARIO).model_copy(update=changes)


def open_loop(rate_per_s: float, seconds: float) -> Scenario:
    """The scenario with independent arrivals, for one replica."""
    arrivals = Poisson(process="poisson", rate_per_s=rate_per_s)
    return closed(1, seconds).model_copy(update={"arrivals": arrivals})


def measure(num_replicas: int, scenario: Scenario) -> dict[str, Any]:
    """Starts replicas and runs the scenario on all of them."""
    with ExitStack() as stack:
        flags = (f"--num-workers={WORKERS}", "--log-level=warning")
        servers = [stack.enter_context(serve(models=("everyday",), flags=flags)) for _ in range(num_replicas)]
        for server in servers:
            server.wait_until_healthy()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            target = "ipv4:" + ",".join(server.target for server in servers)
            outcomes: list[Outcome] = runner.run(Runner(scenario, target).run())
    return LoadReport.results(scenario, outcomes)


def level(num_replicas: int, found: list[dict[str, Any]]) -> ReplicaLevel:
    """Summarizes all rounds of a number of replicas."""
    totals: list[PartResult] = [each["total"] for each in found]
    return ReplicaLevel(
        num_replicas=num_replicas,
        num_clients=CLIENTS_A_REPLICA * num_replicas,
        calls_per_s=Spread.of([total.calls_per_s for total in totals], 1),
        p99_ms=max(total.latency.values["p99"] for total in totals),
        num_failed=sum(total.num_failed for total in totals),
    )


def open_level(share: float, rate_per_s: float, found: dict[str, Any]) -> OpenLevel:
    """The result of one arrival rate."""
    lag: Percentiles = found["lag"]
    return OpenLevel(share=share, rate_per_s=round(rate_per_s, 1), total=found["total"], lag_p99_ms=lag.values["p99"])


if __name__ == "__main__":
    main()
