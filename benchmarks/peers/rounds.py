"""Interleaved rounds: every engine runs the same job once a round, so that a slower minute touches all alike."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.harness.spread import Spread
from benchmarks.peers.engines import Running, Setting, opened
from benchmarks.peers.jobs import Job

PAUSE_S = 0.3  # until threads that spin after their work, as OpenMP's do, have stopped
SEARCH_REPEATS = 2
HOPELESS = 0.4  # of the first setting's speed: after a long warm-up, such a setting is not tried any longer
LONG_S = 2.0  # shorter ones say little, since much is slow when it is done first

Stage = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How often.

    Attributes:
        rounds: of all engines.
        slow_rounds: after so many rounds those that take many times longer sit out; they run a sample of each job.
        warmup_s, duration_s: of a load on a server.
        search: whether the peers' best settings are searched; otherwise the first is taken.
    """

    rounds: int = 3
    slow_rounds: int = 2
    warmup_s: float = 1.5
    duration_s: float = 6.0
    search: bool = True


QUICK = Plan(rounds=2, slow_rounds=1, warmup_s=1.0, duration_s=4.0, search=False)


@dataclass(frozen=True)
class Measured:
    """What the rounds of one engine gave; `seconds` and `cpu_s` one a round."""

    running: Running
    num_tokens: int
    seconds: tuple[float, ...]
    cpu_s: tuple[float, ...]

    @property
    def tokens_per_s(self) -> Spread:
        return Spread.of([self.num_tokens / seconds for seconds in self.seconds], 1)


@contextmanager
def all_opened(settings: Sequence[Setting]) -> Iterator[list[Running]]:
    with ExitStack() as stack:
        yield [stack.enter_context(opened(setting)) for setting in settings]


def best(settings: Sequence[Setting], job: Job, plan: Plan, stage: Stage) -> tuple[Setting, str]:
    """Searches the setting with the most tokens a second; also tells what all reached."""
    if len(settings) == 1 or not plan.search:
        return settings[0], ""
    found: list[tuple[float, Setting, str]] = []
    for setting in settings:
        with opened(setting) as running:
            stage(f"searching {running.engine}: {running.described}")
            warmup = running.worker.call("run", **job.shortest.arguments)
            speeds = [_speed(warmup)]
            if not found or warmup["seconds"] < LONG_S or speeds[-1] > HOPELESS * found[0][0]:
                speeds = [_speed(running.worker.call("run", **job.arguments)) for _ in range(SEARCH_REPEATS)]
            found.append((max(speeds), setting, running.described))
    fastest = max(found, key=lambda each: each[0])
    tried = "; ".join(f"{described}: {speed:,.0f}" for speed, _, described in found)
    return fastest[1], f"{fastest[1].engine}, tokens/s of the settings tried: {tried}"


def _speed(told: dict[str, Any]) -> float:
    return float(told["num_tokens"] / told["seconds"])


def compare(engines: Sequence[Running], job: Job, plan: Plan, slow: frozenset[str], stage: Stage) -> list[Measured]:
    """Runs a job with every engine, round by round, every second round in reverse order.

    Args:
        slow: names of engines that sit out the later rounds, and run a sample of the job.
    """
    jobs = {running.engine: job.sample if running.engine in slow else job for running in engines}
    for running in engines:
        warm_up = job.warm_up if running.engine in slow else job  # memory is slow when it is used first
        running.worker.call("run", **warm_up.arguments)
    told: dict[str, list[dict[str, Any]]] = {running.engine: [] for running in engines}
    for number in range(plan.rounds):
        for running in engines if number % 2 == 0 else reversed(engines):
            if running.engine in slow and number >= plan.slow_rounds:
                continue
            stage(f"round {number + 1} of {plan.rounds}: {running.engine}")
            told[running.engine].append(running.worker.call("run", **jobs[running.engine].arguments))
            time.sleep(PAUSE_S)
    return [_measured(running, told[running.engine]) for running in engines]


def _measured(running: Running, told: Sequence[dict[str, Any]]) -> Measured:
    return Measured(
        running,
        told[0]["num_tokens"],
        tuple(each["seconds"] for each in told),
        tuple(each["cpu_s"] for each in told),
    )


def ratio(ours: Measured, theirs: Measured) -> Spread:
    """How many times as many tokens a second we make, a value a round that both ran in."""
    values = [
        (ours.num_tokens / own) / (theirs.num_tokens / other)
        for own, other in zip(ours.seconds, theirs.seconds, strict=False)
    ]
    return Spread.of(values, 3)
