"""`python -m benchmarks.soak`: memory, files, threads and latency of a server over half an hour of mixed load."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import uvloop

from benchmarks.harness.measurement import circumstances
from benchmarks.harness.process import pin_to_cores
from benchmarks.harness.servers import Server, serve
from benchmarks.harness.spread import Spread
from benchmarks.harness.tables import show
from benchmarks.loadtest.load_report import LoadReport, PartResult
from benchmarks.loadtest.mixed_load import capacity, mixed_scenario, open_loop, parse_cores
from benchmarks.loadtest.runner import Outcome, Runner
from benchmarks.soak.soak_report import NUM_FIFTHS, SoakReport, Stretch
from benchmarks.soak.watch import Sample, watching

NUM_STRETCHES = 120  # of the picture
SAMPLES_A_LOAD = 72
WARMUP_SHARE = 0.25  # of the measurement: first batches of rare shapes allocate memory
CAPACITY_S = 10.0  # of a round, at most


@dataclass
class Soaked:
    """The raw measurements. Times exclude the capacity measurements between the fifths.

    Attributes:
        capacities: calls per second in a closed loop, before the warm-up and before each fifth.
    """

    capacities: list[Spread] = field(default_factory=list)
    warmup: list[Outcome] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)


@click.command(context_settings={"show_default": True})
@click.option("--minutes", default=30.0, help="Length of the measurement; a warm-up of a quarter of it comes first.")
@click.option("--share", default=0.8, help="Call rate over the capacity, which is measured before each fifth.")
@click.option("--cpus", help="Cores for the server, such as 0; by default all.")
@click.option("--generator-cpus", help="Cores for the load generator; by default the server's.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there.")
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE", help="Draw the course, as SVG or PNG.")
@click.pass_context
def main(
    context: click.Context,
    minutes: float,
    share: float,
    cpus: str | None,
    generator_cpus: str | None,
    json_file: Path | None,
    picture: Path | None,
) -> None:
    """Soaks a server of all shipped models. The exit status is 1 if a bound is missed."""
    if cpus is not None:
        pin_to_cores(parse_cores(cpus))
    before = circumstances(context, "benchmarks.soak")
    with serve() as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        server.wait_until_healthy()
        if generator_cpus is not None:
            pin_to_cores(parse_cores(generator_cpus))
        soaked = runner.run(soak(server, minutes, share))
    report = SoakReport(**before, minutes=minutes, share=share, **results(soaked, minutes))
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)
    if picture is not None:
        from benchmarks.soak.course_picture import draw  # imports matplotlib

        draw(report, picture)
    context.exit(0 if report.is_met else 1)


async def soak(server: Server, minutes: float, share: float) -> Soaked:
    """Warms up, then sends the same calls five times, each time at the same share of the current capacity.

    Each fifth measures the capacity again, since the speed of a shared machine varies: 80 % of its capacity now may be
    all of it some minutes later.
    """
    soaked = Soaked()
    soaked.warmup, _ = await _load(server, soaked, share, WARMUP_SHARE * 60 * minutes, seed=0)
    seconds = 60 * minutes / NUM_FIFTHS
    for number in range(NUM_FIFTHS):
        # Equal seeds send equal calls, so that differences between fifths come from the server.
        outcomes, samples = await _load(server, soaked, share, seconds, seed=1)
        begins = number * seconds
        soaked.outcomes += [_later(outcome, begins) for outcome in outcomes]
        soaked.samples += [replace(sample, at_s=begins + sample.at_s) for sample in samples if sample.at_s < seconds]
    return soaked


async def _load(
    server: Server, soaked: Soaked, share: float, seconds: float, seed: int
) -> tuple[list[Outcome], list[Sample]]:
    """Measures the capacity, then sends a share of it for `seconds`; times count from the start of that load."""
    found = await capacity(server.target, mixed_scenario(duration_s=min(CAPACITY_S, seconds)))
    soaked.capacities.append(found)
    scenario = open_loop(mixed_scenario(duration_s=seconds, warmup_s=0.0, seed=seed), share * found.median)
    async with watching(server.process.pid, seconds / SAMPLES_A_LOAD) as samples:
        return await Runner(scenario, server.target).run(), samples


def _later(outcome: Outcome, by_s: float) -> Outcome:
    first_token = None if outcome.first_token is None else outcome.first_token + by_s
    return replace(
        outcome, due=outcome.due + by_s, sent=outcome.sent + by_s, done=outcome.done + by_s, first_token=first_token
    )


def results(soaked: Soaked, minutes: float) -> dict[str, Any]:
    """The measured fields of the report."""
    seconds = 60 * minutes
    length = seconds / NUM_STRETCHES
    load = LoadReport.results(mixed_scenario(duration_s=seconds), soaked.outcomes)
    return {
        "capacities": tuple(soaked.capacities),
        "total": load["total"],
        "parts": load["parts"],
        "lag": load["lag"],
        "warmup": PartResult.of("warm-up", soaked.warmup, WARMUP_SHARE * seconds),
        "fifths": tuple(
            Stretch.of(number * seconds / NUM_FIFTHS, seconds / NUM_FIFTHS, soaked.outcomes, soaked.samples)
            for number in range(NUM_FIFTHS)
        ),
        "course": tuple(
            Stretch.of(number * length, length, soaked.outcomes, soaked.samples) for number in range(NUM_STRETCHES)
        ),
    }


if __name__ == "__main__":
    main()
