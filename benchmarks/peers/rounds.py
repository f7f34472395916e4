"""Interleaved rounds: every engine runs the same job once per round, so that drift affects all engines equally."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.harness.spread import Spread
from benchmarks.peers.engines import RunningEngine, Setting, open_engine
from benchmarks.peers.jobs import Job

PAUSE_S = 0.3  # threads that spin after their work, like OpenMP's, stop in this time
SEARCH_REPEATS = 2
MIN_SEARCHED_SPEED = 0.4  # of the first setting's speed: the search drops settings with a slower long warm-up
LONG_WARMUP_S = 2.0  # shorter warm-ups are no measure, since first runs are slow

Stage = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """Numbers of rounds and lengths of loads.

    Attributes:
        rounds: number of rounds.
        slow_rounds: number of rounds for slow engines, which run a sample of each job.
        warmup_s, duration_s: of a load on a server.
        search: whether to search the peers' best settings; otherwise the first setting counts.
    """

    rounds: int = 3
    slow_rounds: int = 2
    warmup_s: float = 1.5
    duration_s: float = 6.0
    search: bool = True


QUICK = Plan(rounds=2, slow_rounds=1, warmup_s=1.0, duration_s=4.0, search=False)


@dataclass(frozen=True)
class Measured:
    """The rounds of one engine, with one value of `seconds` and `cpu_s` per round."""

    running: RunningEngine
    num_tokens: int
    seconds: tuple[float, ...]
    cpu_s: tuple[float, ...]

    @property
    def tokens_per_s(self) -> Spread:
        """Tokens per second over the rounds."""
        return Spread.of([self.num_tokens / seconds for seconds in self.seconds], 1)


@contextmanager
def open_engines(settings: Sequence[Setting]) -> Iterator[list[RunningEngine]]:
    """Starts all settings."""
    with ExitStack() as stack:
        yield [stack.enter_context(open_engine(setting)) for setting in settings]


def fastest_setting(settings: Sequence[Setting], job: Job, plan: Plan, stage: Stage) -> tuple[Setting, str]:
    """Searches the setting with the most tokens per second; also returns a note with the speeds of all settings."""
    if len(settings) == 1 or not plan.search:
        return settings[0], ""
    found: list[tuple[float, Setting, str]] = []
    for setting in settings:
        with open_engine(setting) as running:
            stage(f"searching {running.engine}: {running.described}")
            warmup = running.worker.call("run", **job.shortest.arguments)
            speeds = [_speed(warmup)]
            if not found or warmup["seconds"] < LONG_WARMUP_S or speeds[-1] > MIN_SEARCHED_SPEED * found[0][0]:
                speeds = [_speed(running.worker.call("run", **job.arguments)) for _ in range(SEARCH_REPEATS)]
            found.append((max(speeds), setting, running.described))
    fastest = max(found, key=lambda each: each[0])
    tried = "; ".join(f"{described}: {speed:,.0f}" for speed, _, described in found)
    return fastest[1], f"{fastest[1].engine}, tokens/s of the settings tried: {tried}"


def _speed(answer: dict[str, Any]) -> float:
    return float(answer["num_tokens"] / answer["seconds"])


def compare(
    engines: Sequence[RunningEngine], job: Job, plan: Plan, slow: frozenset[str], stage: Stage
) -> list[Measured]:
    """Runs a job on every engine, round by round, every second round in reverse order.

    Args:
        slow: names of engines that run `plan.slow_rounds` rounds of a sample of the job.
    """
    jobs = {running.engine: job.sample if running.engine in slow else job for running in engines}
    for running in engines:
        warm_up = job.warm_up if running.engine in slow else job  # the first access to memory is slow
        running.worker.call("run", **warm_up.arguments)
    answers: dict[str, list[dict[str, Any]]] = {running.engine: [] for running in engines}
    for number in range(plan.rounds):
        for running in engines if number % 2 == 0 else reversed(engines):
            if running.engine in slow and number >= plan.slow_rounds:
                continue
            stage(f"round {number + 1} of {plan.rounds}: {running.engine}")
            answers[running.engine].append(running.worker.call("run", **jobs[running.engine].arguments))
            time.sleep(PAUSE_S)
    return [_measured(running, answers[running.engine]) for running in engines]


def _measured(running: RunningEngine, answers: Sequence[dict[str, Any]]) -> Measured:
    return Measured(
        running,
        answers[0]["num_tokens"],
        tuple(each["seconds"] for each in answers),
        tuple(each["cpu_s"] for each in answers),
    )


def ratio(ours: Measured, theirs: Measured) -> Spread:
    """Our tokens per second over theirs, one value per round that both ran."""
    values = [
        (ours.num_tokens / own) / (theirs.num_tokens / other)
        for own, other in zip(ours.seconds, theirs.seconds, strict=False)
    ]
    return Spread.of(values, 3)
