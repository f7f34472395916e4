"""Measures requests per second by number of clients, and with and without the alignment.

Every round measures each variant once, so that drift of the machine affects all variants equally; ratios compare
variants of the same round.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.spread import Spread
from benchmarks.serving.load_generator import Load, LoadResult

PROCESS_TIMEOUT_S = 120.0  # beyond the length of the load

Report = Callable[[], None]


class LoadFailed(Exception):
    """A request failed, or the generator did not end in time."""


class Level(BaseModel):
    """A number of clients over all rounds; latencies and CPU times are medians of the rounds."""

    model_config = ConfigDict(frozen=True)

    num_clients: int
    alignment: bool
    requests_per_s: Spread
    tokens_per_s: float
    tokens_per_request: float
    latency_p50_ms: float
    latency_p95_ms: float
    server_cpu_ms: float | None
    generator_cpu_ms: float

    @classmethod
    def of(cls, load: Load, results: Sequence[LoadResult]) -> Self:
        """Summarizes the rounds of a load."""
        cpu = [each.server_cpu_ms for each in results if each.server_cpu_ms is not None]
        return cls(
            num_clients=load.num_clients,
            alignment=load.alignment,
            requests_per_s=Spread.of([each.requests_per_s for each in results], 2),
            tokens_per_s=median(each.tokens_per_s for each in results),
            tokens_per_request=round(median(each.tokens_per_request for each in results), 2),
            latency_p50_ms=round(median(each.latency_p50_ms for each in results), 2),
            latency_p95_ms=round(median(each.latency_p95_ms for each in results), 2),
            server_cpu_ms=round(median(cpu), 3) if cpu else None,
            generator_cpu_ms=round(median(each.generator_cpu_ms for each in results), 3),
        )


class Comparison(BaseModel):
    """Loads measured in the same rounds.

    Attributes:
        levels: one level per load.
        ratio: requests per second of the last load over the first, one value per round.
    """

    model_config = ConfigDict(frozen=True)

    levels: tuple[Level, ...]
    ratio: Spread


@dataclass(frozen=True)
class Plan:
    """Numbers of clients, rounds and times.

    Attributes:
        clients: numbers of clients, ascending; the last one also measures the alignment.
    """

    clients: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    scaling_rounds: int = 5
    alignment_rounds: int = 10
    warmup_s: float = 1.0
    duration_s: float = 4.0


QUICK = Plan(clients=(1, 4, 32), scaling_rounds=1, alignment_rounds=2, warmup_s=0.5, duration_s=1.5)


def compare(loads: Sequence[Load], rounds: int, report: Report) -> Comparison:
    """Runs every load once per round; every second round runs them in reverse order.

    Args:
        report: called after each load.
    """
    results: list[list[LoadResult]] = [[] for _ in loads]
    for number in range(rounds):
        order = range(len(loads)) if number % 2 == 0 else reversed(range(len(loads)))
        for index in order:
            results[index].append(run(loads[index]))
            report()
    ratios = [last.requests_per_s / first.requests_per_s for first, last in zip(results[0], results[-1], strict=True)]
    levels = tuple(Level.of(load, each) for load, each in zip(loads, results, strict=True))
    return Comparison(levels=levels, ratio=Spread.of(ratios))


def run(load: Load) -> LoadResult:
    """Runs a load in its own process.

    Raises:
        LoadFailed: a request failed, or the generator did not end in time.
    """
    command = [sys.executable, "-m", "benchmarks.serving.load_generator"]
    timeout = load.warmup_s + load.duration_s + PROCESS_TIMEOUT_S
    try:
        done = subprocess.run(
            command, input=load.model_dump_json(), capture_output=True, text=True, timeout=timeout, check=True
        )
    except subprocess.CalledProcessError as error:
        raise LoadFailed(f"the load of {load.num_clients} clients failed:\n{error.stderr[-2000:]}") from error
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"the load of {load.num_clients} clients did not end in {timeout:.0f} s") from error
    return LoadResult.model_validate_json(done.stdout)
