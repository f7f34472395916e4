"""What a replica carries, as JSON and as tables."""

import math
from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.measurement import Measurement
from benchmarks.harness.spread import Spread
from benchmarks.harness.tables import Table
from benchmarks.loadtest.load_report import PartResult

P99_BOUND_MS = 250.0  # what a call may take, for the table of replicas
LOADS = (50, 200, 1000, 5000)  # calls a second


class ReplicaLevel(BaseModel):
    """So many replicas behind the client's round robin, with as many callers as they can take."""

    model_config = ConfigDict(frozen=True)

    num_replicas: int
    num_clients: int
    calls_per_s: Spread
    p99_ms: float
    num_failed: int


class OpenLevel(BaseModel):
    """Calls that arrive independently at one replica.

    Attributes:
        share: of the calls a second that it answered at most.
        total: latencies count from when a call was due.
        lag_p99_ms: how late the generator was.
    """

    model_config = ConfigDict(frozen=True)

    share: float
    rate_per_s: float
    total: PartResult
    lag_p99_ms: float

    @property
    def is_within_bound(self) -> bool:
        return self.total.num_failed == 0 and self.total.latency.values.get("p99", math.inf) <= P99_BOUND_MS


class CapacityReport(Measurement):
    """All of it.

    Attributes:
        workers: a replica's threads that run graphs.
        quick: whether it was a short run, good for a glance only.
    """

    benchmark: Literal["capacity"] = "capacity"
    quick: bool
    workers: int
    replicas: tuple[ReplicaLevel, ...]
    arrivals: tuple[OpenLevel, ...]

    def tables(self) -> Iterator[Table]:
        yield Table(
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
        yield Table(
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
        if self.rate_within_bound is not None:
            yield Table(
                f"Replicas for a load, with p99 within {P99_BOUND_MS:.0f} ms and one replica spare",
                ["calls/s", "replicas"],
                [[f"{load:,}", f"{self.replicas_for(load):,}"] for load in LOADS],
            )

    def notes(self) -> Iterator[str]:
        if len(self.replicas) > 1:
            first, last = self.replicas[0], self.replicas[-1]
            ratio = last.calls_per_s.median / first.calls_per_s.median
            yield (
                f"{last.num_replicas} replicas answer {ratio:.2f} times what one does; they and their callers share "
                f"the {self.machine.cores} cores of one machine, as replicas on machines of their own do not."
            )
        if self.rate_within_bound is None:
            yield f"No load tried kept p99 within {P99_BOUND_MS:.0f} ms."
        if any(level.lag_p99_ms > 20 for level in self.arrivals):
            yield "The generator was late at times: latencies include that."
        if self.machine.is_busy:
            yield f"The machine was busy before (load {self.machine.load_before}): times mean little."
        if self.quick:
            yield "A quick run, for a glance only."

    @property
    def rate_within_bound(self) -> float | None:
        """The highest rate up to which p99 stayed within its bound; None where none did."""
        rate = None
        for level in sorted(self.arrivals, key=lambda level: level.rate_per_s):
            if not level.is_within_bound:
                break
            rate = level.rate_per_s
        return rate

    def replicas_for(self, calls_per_s: float) -> int:
        """So many replicas, that one may be lost, or replaced, and the rest still carry the load.

        Raises:
            ValueError: no load tried was within the bound.
        """
        if self.rate_within_bound is None:
            raise ValueError("no rate was within the bound")
        return math.ceil(calls_per_s / self.rate_within_bound) + 1
