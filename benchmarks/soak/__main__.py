"""`python -m benchmarks.soak`: a mixed load for half an hour, and what became of the server."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import uvloop

from benchmarks.mixed import capacity, cores, mixed, open_loop
from benchmarks.process import pin
from benchmarks.results import circumstances
from benchmarks.servers import Server, serve
from benchmarks.soak.report import NUM_FIFTHS, SoakReport, Stretch
from benchmarks.soak.watch import Sample, watching
from benchmarks.spread import Spread
from benchmarks.tables import show
from deploy.loadtest.report import LoadReport, PartResult
from deploy.loadtest.runner import Outcome, Runner
from deploy.loadtest.scenario import Scenario

NUM_STRETCHES = 120  # of the picture
SAMPLES_A_STRETCH = 3
WARMUP_SHARE = 0.25  # of the time that counts: batches of rare shapes are first made then, and memory settles
CAPACITY_S = 20.0  # a round, at most


@dataclass
class Soaked:
    """What was measured; times count from the beginning of the first fifth."""

    capacity: Spread
    rate_per_s: float
    warmup: list[Outcome] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    begins: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)


@click.command(context_settings={"show_default": True})
@click.option("--minutes", default=30.0, help="The time that counts; a quarter of it comes before, to warm up.")
@click.option("--share", default=0.8, help="Of the capacity, which is measured first.")
@click.option("--cpus", help="Cores for server and generator, such as 0; all, if not given.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there.")
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE", help="Draw the course, as SVG or PNG.")
@click.pass_context
def main(
    context: click.Context,
    minutes: float,
    share: float,
    cpus: str | None,
    json_file: Path | None,
    picture: Path | None,
) -> None:
    """Soaks a server of all shipped models. The exit status is 1 if anything is not as it should be."""
    if cpus is not None:
        pin(cores(cpus))
    before = circumstances(context, "benchmarks.soak")
    with serve() as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        server.wait_until_healthy()
        soaked = runner.run(soak(server, minutes, share))
    report = SoakReport(**before, minutes=minutes, share=share, **results(soaked, minutes))
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)
    if picture is not None:
        from benchmarks.soak.picture import draw  # matplotlib, where it is wanted only

        draw(report, picture)
    context.exit(0 if report.holds else 1)


async def soak(server: Server, minutes: float, share: float) -> Soaked:
    """Measures the capacity, warms up, and sends the same fifth of the load five times."""
    seconds = 60 * minutes / NUM_FIFTHS
    found = await capacity(server.target, mixed(duration_s=min(CAPACITY_S, seconds)))
    soaked = Soaked(found, share * found.median)
    await _load(server, _scenario(soaked, WARMUP_SHARE * 60 * minutes, seed=0), soaked.warmup)
    async with watching(server.process.pid, 60 * minutes / NUM_STRETCHES / SAMPLES_A_STRETCH) as samples:
        begin = time.perf_counter()
        for _ in range(NUM_FIFTHS):
            # The same arrivals and calls, so that what differs between two fifths is the server.
            begins = time.perf_counter() - begin
            soaked.begins.append(begins)
            await _load(server, _scenario(soaked, seconds, seed=1), soaked.outcomes, begins)
        soaked.samples = samples
    return soaked


def _scenario(soaked: Soaked, seconds: float, seed: int) -> Scenario:
    return open_loop(mixed(duration_s=seconds, warmup_s=0.0, seed=seed), soaked.rate_per_s)


async def _load(server: Server, scenario: Scenario, outcomes: list[Outcome], begins: float = 0.0) -> None:
    outcomes += [_later(outcome, begins) for outcome in await Runner(scenario, server.target).run()]


def _later(outcome: Outcome, by_s: float) -> Outcome:
    first_token = None if outcome.first_token is None else outcome.first_token + by_s
    return replace(
        outcome, due=outcome.due + by_s, sent=outcome.sent + by_s, done=outcome.done + by_s, first_token=first_token
    )


def results(soaked: Soaked, minutes: float) -> dict[str, Any]:
    """The fields of the report that say what was found."""
    seconds = 60 * minutes
    length = seconds / NUM_STRETCHES
    load = LoadReport.results(mixed(duration_s=seconds), soaked.outcomes)
    return {
        "capacity": soaked.capacity,
        "rate_per_s": round(soaked.rate_per_s, 2),
        "total": load["total"],
        "parts": load["parts"],
        "lag": load["lag"],
        "warmup": PartResult.of("warm-up", soaked.warmup, WARMUP_SHARE * seconds),
        "fifths": tuple(
            Stretch.of(begins, seconds / NUM_FIFTHS, soaked.outcomes, soaked.samples) for begins in soaked.begins
        ),
        "course": tuple(
            Stretch.of(number * length, length, soaked.outcomes, soaked.samples) for number in range(NUM_STRETCHES)
        ),
    }


if __name__ == "__main__":
    main()
