"""`python -m benchmarks.doors`: measures what doors cost beside gRPC."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.doors.door_load import WAYS, DoorLoad, DoorResult, Way
from benchmarks.doors.doors_report import DoorsReport, WayReport
from benchmarks.harness.measurement import circumstances
from benchmarks.harness.process import pin_to_cores
from benchmarks.harness.servers import Server, ServerFailed, serve
from benchmarks.harness.tables import show
from benchmarks.loadtest.http_apis import HTTP_APIS
from benchmarks.loadtest.mixed_load import parse_cores

PROCESS_TIMEOUT_S = 120.0  # beyond the length of a load
_DOORS = tuple(f"--{api.replace('_', '-')}-door" for api in HTTP_APIS if api != "json")
_FLAGS = ("--log-level=warning", *_DOORS)


@click.command(context_settings={"show_default": True})
@click.option("--rounds", type=click.IntRange(1), default=5, help="Rounds, each of which measures every API once.")
@click.option("--clients", type=click.IntRange(1), default=32, help="Clients, each with a connection of its own.")
@click.option("--seconds", type=click.FloatRange(0.1), default=4.0, help="Length of one measurement.")
@click.option("--cpus", help="Cores for the server, such as 0; by default all.")
@click.option("--generator-cpus", help="Cores for the clients; by default the server's.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write the results to this file.",
)  # fmt: skip
@click.pass_context
def main(
    context: click.Context,
    rounds: int,
    clients: int,
    seconds: float,
    cpus: str | None,
    generator_cpus: str | None,
    json_file: Path | None,
) -> None:
    """Sends the same texts over gRPC, the JSON API and doors, and compares the throughput."""
    if cpus is not None:
        pin_to_cores(parse_cores(cpus))
    before = circumstances(context, "benchmarks.doors")
    try:
        with serve(models=("everyday",), flags=_FLAGS) as server:
            server.wait_until_healthy()
            if generator_cpus is not None:
                pin_to_cores(parse_cores(generator_cpus))
            results = _measure(server, rounds, clients, seconds)
    except ServerFailed as error:
        raise click.ClickException(str(error)) from error
    ways = tuple(WayReport.of(way, results[way], results["grpc"]) for way in WAYS)
    report = DoorsReport(**before, num_clients=clients, ways=ways)
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)


def _measure(server: Server, rounds: int, clients: int, seconds: float) -> dict[Way, list[DoorResult]]:
    """Measures every API once per round; every second round in reverse order."""
    results: dict[Way, list[DoorResult]] = {way: [] for way in WAYS}
    for number in range(rounds):
        order: Sequence[Way] = WAYS if number % 2 == 0 else WAYS[::-1]
        for way in order:
            load = DoorLoad(
                way=way,
                grpc_port=server.port,
                http_port=server.http_port,
                server_pid=server.process.pid,
                num_clients=clients,
                duration_s=seconds,
            )
            results[way].append(_run(load))
    return results


def _run(load: DoorLoad) -> DoorResult:
    """Runs a load in its own process."""
    command = [sys.executable, "-m", "benchmarks.doors.door_load"]
    done = subprocess.run(
        command,
        input=load.model_dump_json(),
        capture_output=True,
        text=True,
        timeout=load.warmup_s + load.duration_s + PROCESS_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise click.ClickException(f"the load over {load.way} failed:\n{done.stderr[-2000:]}")
    return DoorResult.model_validate_json(done.stdout)


if __name__ == "__main__":
    main()
