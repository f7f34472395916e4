"""The capacity of replicas as JSON and as tables."""

import math
from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.measurement import QUICK_NOTE, Measurement
from benchmarks.harness.spread import Spread
from benchmarks.harness.tables import Table
from benchmarks.loadtest.load_report import MAX_LAG_MS, PartResult

P99_BOUND_MS = 250.0  # latency bound for the number of replicas
LOADS = (50, 200, 1000, 5000)  # calls per second


class ReplicaLevel(BaseModel):
    """A number of replicas behind the client's round robin, in a closed loop that saturates them."""

    model_config = ConfigDict(frozen=True)

    num_replicas: int
    num_clients: int
    calls_per_s: Spread
    p99_ms: float
    num_failed: int


class OpenLevel(BaseModel):
    """Calls that arrive independently at one replica.

    Attributes:
        share: arrival rate over the replica's maximum rate.
        total: latencies count from a call's due time.
        lag_p99_ms: the generator's delay.
    """

    model_config = ConfigDict(frozen=True)

    share: float
    rate_per_s: float
    total: PartResult
    lag_p99_ms: float

    @property
    def is_within_bound(self) -> bool:
        """Whether no call failed and p99 is at most `P99_BOUND_MS`."""
        return self.total.num_failed == 0 and self.total.latency.values.get("p99", math.inf) <= P99_BOUND_MS


class CapacityReport(Measurement):
    """The measured levels.

    Attributes:
        workers: worker threads of a replica.
        quick: whether the run was short and therefore rough.
    """

    benchmark: Literal["capacity"] = "capacity"
    quick: bool
    workers: int
    replicas: tuple[ReplicaLevel, ...]
    arrivals: tuple[OpenLevel, ...]

    def tables(self) -> Iterator[Table]:
        """Saturated replicas, independent arrivals, and the number of replicas for a load."""
        yield self._replica_table()
        yield self._arrival_table()
        if self.rate_within_bound is not None:
            yield Table(
                f"Replicas for a load, with p99 within {P99_BOUND_MS:.0f} ms and one replica spare",
                ["calls/s", "replicas"],
                [[f"{load:,}", f"{self.replicas_for(load):,}"] for load in LOADS],
            )

    def _replica_table(self) -> Table:
        return Table(
            f"Replicas of {self.workers} worker, callers that each wait for their answer: median (least to most)",
            ["replicas", "callers", "calls/s", "p99 ms", "failed"],
            [
                [
                    f"{r.num_replicas}",
                    f"{r.num_clients}",
                    r.calls_per_s.text(".0f"),
                    f"{r.p99_ms:.0f}",
                    f"{r.num_failed}",
                ]
                for r in self.replicas
            ],
        )

    def _arrival_table(self) -> Table:
        return Table(
            "One replica, calls that arrive independently (Poisson)",
            ["share of most", "due/s", "answered/s", "p50 ms", "p90 ms", "p99 ms", "failed"],
            [
                [
                    f"{100 * level.share:.0f} %",
                    f"{level.rate_per_s:.0f}",
                    f"{level.total.calls_per_s:.0f}",
                    *(f"{level.total.latency.values[name]:.0f}" for name in ("p50", "p90", "p99")),
                    f"{level.total.num_failed}",
                ]
                for level in self.arrivals
            ],
        )

    def notes(self) -> Iterator[str]:
        """How replicas scale, and what makes the results unreliable."""
        if len(self.replicas) > 1:
            first, last = self.replicas[0], self.replicas[-1]
            ratio = last.calls_per_s.median / first.calls_per_s.median
            yield (
                f"{last.num_replicas} replicas answer {ratio:.2f} times as many calls as one; here all replicas and "
                f"callers share the {self.machine.cores} cores of one machine."
            )
        if self.rate_within_bound is None:
            yield f"No load tried kept p99 within {P99_BOUND_MS:.0f} ms."
        if any(level.lag_p99_ms > MAX_LAG_MS for level in self.arrivals):
            yield "The generator was late at times; latencies include its delay."
        if self.machine.is_busy:
            yield self.machine.busy_note
        if self.quick:
            yield QUICK_NOTE

    @property
    def rate_within_bound(self) -> float | None:
        """The highest arrival rate below every rate that missed the bound; None if all missed it."""
        rate = None
        for level in sorted(self.arrivals, key=lambda level: level.rate_per_s):
            if not level.is_within_bound:
                break
            rate = level.rate_per_s
        return rate

    def replicas_for(self, calls_per_s: float) -> int:
        """Number of replicas that carry a load even while one is lost or replaced.

        Raises:
            ValueError: no measured rate kept the bound.
        """
        if self.rate_within_bound is None:
            raise ValueError("no rate was within the bound")
        return math.ceil(calls_per_s / self.rate_within_bound) + 1
