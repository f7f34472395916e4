"""`python -m benchmarks.overload`: sends more calls than a server can answer, each with a deadline."""

import asyncio
import os
import signal
from pathlib import Path

import click
import uvloop

from benchmarks.harness.measurement import circumstances
from benchmarks.harness.process import pin_to_cores, process_family
from benchmarks.harness.servers import serve
from benchmarks.harness.tables import show
from benchmarks.loadtest.mixed_load import closed_loop, mixed_scenario, open_loop, parse_cores, rate_of, served_only
from benchmarks.loadtest.runner import Runner
from benchmarks.loadtest.scenario import Scenario
from benchmarks.overload.overload_report import OverloadReport, Round

CAPACITY_TIMEOUT_S = 60.0


@click.command(context_settings={"show_default": True})
@click.option("--factor", default=3.0, help="Call rate over the capacity, which each round measures first.")
@click.option("--deadline", default=2.0, help="Deadline of each call, in seconds.")
@click.option("--rounds", default=3, help="Number of rounds.")
@click.option("--seconds", default=15.0, help="Length of each of a round's two loads.")
@click.option("--processes", default=1, help="Processes of the server.")
@click.option("--kill", is_flag=True, help="Kill one of them in the middle of each overload.")
@click.option("--scenario", "file", type=click.Path(path_type=Path), metavar="FILE", help="Another mix of calls.")
@click.option("--cpus", help="Cores for the server, such as 0; by default all.")
@click.option(
    "--generator-cpus",
    help="Cores for the load generator; by default the server's.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there.")
@click.pass_context
def main(
    context: click.Context,
    factor: float,
    deadline: float,
    rounds: int,
    seconds: float,
    processes: int,
    kill: bool,
    file: Path | None,
    cpus: str | None,
    generator_cpus: str | None,
    json_file: Path | None,
) -> None:
    """Overloads a server of all shipped models. The exit status is 1 if a bound is missed."""
    if cpus is not None:
        pin_to_cores(parse_cores(cpus))
    if kill and processes < 2:
        raise click.UsageError("--kill needs --processes 2 or more")
    before = circumstances(context, "benchmarks.overload")
    scenario = served_only(mixed_scenario() if file is None else Scenario.read(file))
    flags = ("--log-level=warning", f"--processes={processes}")
    with serve(flags=flags) as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        server.wait_until_healthy()
        if generator_cpus is not None:
            pin_to_cores(parse_cores(generator_cpus))
        rushed = scenario.model_copy(update={"duration_s": seconds})
        victim = server.process.pid if kill else None
        found = runner.run(overload(server.target, rushed, rounds, factor, deadline, victim))
    report = OverloadReport(
        **before, factor=factor, deadline_s=deadline, processes=processes, is_killing=kill, rounds=found
    )
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)
    context.exit(0 if report.is_met else 1)


async def overload(
    target: str, scenario: Scenario, num_rounds: int, factor: float, deadline_s: float, victim: int | None = None
) -> tuple[Round, ...]:
    """Each round measures the capacity in a closed loop, then sends `factor` times as many calls in an open loop.

    Args:
        victim: a group of processes, one of which is killed in the middle of each open loop; None kills none.
    """
    rounds = []
    for seed in range(num_rounds):
        waiting = closed_loop(scenario).model_copy(update={"timeout_s": CAPACITY_TIMEOUT_S, "seed": seed})
        capacity = rate_of(await Runner(waiting, target).run(), scenario.duration_s)
        rushing = open_loop(scenario, factor * capacity).model_copy(update={"timeout_s": deadline_s, "seed": seed})
        async with asyncio.TaskGroup() as group:
            if victim is not None:
                group.create_task(_kill_one_of(victim, scenario.warmup_s + scenario.duration_s / 2))
            rush = group.create_task(Runner(rushing, target).run())
        outcomes = rush.result()
        rounds.append(Round.of(capacity, scenario.duration_s, outcomes))
    return tuple(rounds)


async def _kill_one_of(group: int, after_s: float) -> None:
    await asyncio.sleep(after_s)
    os.kill(process_family(group)[-1], signal.SIGKILL)


if __name__ == "__main__":
    main()
