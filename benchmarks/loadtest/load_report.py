"""The results of a load test per kind of call, as JSON and as tables."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.measurement import Measurement
from benchmarks.harness.spread import percentile
from benchmarks.harness.tables import Table
from benchmarks.loadtest.runner import Outcome
from benchmarks.loadtest.scenario import Closed, Scenario

SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999, "most": 1.0}
MAX_LAG_MS = 20.0  # a later generator measures its own delay


class Percentiles(BaseModel):
    """Percentiles of times in milliseconds, by the names of `SHARES`; empty without measurements."""

    model_config = ConfigDict(frozen=True)

    values: dict[str, float]

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Computes them from times in seconds."""
        found = {name: round(1000 * percentile(seconds, share), 2) for name, share in SHARES.items() if seconds}
        return cls(values=found)

    def cells(self) -> list[str]:
        """Cells of a table's row, one per name of `SHARES`."""
        return [f"{self.values[name]:.1f}" if name in self.values else "" for name in SHARES]


class PartResult(BaseModel):
    """Results of one kind of call, or of all kinds.

    Attributes:
        num_calls: calls that were due in the measurement.
        codes: number of calls by status.
        latency: of the correctly answered calls, from their due time.
        first_token: times to the first token of streams, from their due time.
        num_expected: calls that ended with an expected status other than OK.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    num_calls: int
    codes: dict[str, int]
    calls_per_s: float
    tokens_per_s: float
    latency: Percentiles
    first_token: Percentiles
    num_expected: int = 0

    @classmethod
    def of(cls, name: str, outcomes: Sequence[Outcome], seconds: float) -> Self:
        """Summarizes the outcomes of a measurement of `seconds`."""
        good = [outcome for outcome in outcomes if outcome.code == "OK"]
        return cls(
            name=name,
            num_calls=len(outcomes),
            codes=dict(sorted(Counter(outcome.code for outcome in outcomes).items())),
            calls_per_s=round(len(good) / seconds, 2),
            tokens_per_s=round(sum(outcome.num_tokens for outcome in good) / seconds, 1),
            latency=Percentiles.of([outcome.latency_s for outcome in good]),
            first_token=Percentiles.of([o.first_token - o.due for o in good if o.first_token is not None]),
            num_expected=sum(outcome.is_expected for outcome in outcomes if outcome.code != "OK"),
        )

    @property
    def num_failed(self) -> int:
        """Calls that ended with an unexpected status."""
        return self.num_calls - self.codes.get("OK", 0) - self.num_expected


class LoadReport(Measurement):
    """One run of a scenario.

    Attributes:
        total: all kinds of call together.
        lag: times from a call's due time until the generator sent it.
    """

    benchmark: Literal["loadtest"] = "loadtest"
    scenario: Scenario
    total: PartResult
    parts: tuple[PartResult, ...]
    lag: Percentiles

    @staticmethod
    def results(scenario: Scenario, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        """The measured fields; calls of the warm-up do not count.

        Raises:
            ValueError: no call was due in the measurement.
        """
        counted = [outcome for outcome in outcomes if outcome.due >= 0]
        if not counted:
            raise ValueError("no call was due in the measurement")
        seconds = scenario.duration_s
        return {
            "scenario": scenario,
            "total": PartResult.of("all", counted, seconds),
            "parts": tuple(
                PartResult.of(part.name, [o for o in counted if o.part == part.name], seconds)
                for part in scenario.parts
            ),
            "lag": Percentiles.of([outcome.sent - outcome.due for outcome in counted]),
        }

    def tables(self) -> Iterator[Table]:
        """Latencies by kind of call, and times to the first token of streams."""
        header = ["calls", "due", "failed", "calls/s", "tokens/s", *(f"{name} ms" for name in SHARES)]
        shown = (*self.parts, self.total) if len(self.parts) > 1 else (self.total,)
        yield Table(f"{self.scenario.name}: latency from when a call was due", header, [_row(part) for part in shown])
        streams = [part for part in self.parts if part.first_token.values]
        if streams:
            rows = [[part.name, *part.first_token.cells()] for part in streams]
            yield Table("First token of streams", ["calls", *(f"{name} ms" for name in SHARES)], rows)

    def notes(self) -> Iterator[str]:
        """Statuses other than OK, and what makes the latencies unreliable."""
        unanswered = ", ".join(f"{count} {code}" for code, count in self.total.codes.items() if code != "OK")
        if unanswered:
            yield f"Not answered: {unanswered}; {self.total.num_expected} of them as expected."
        if isinstance(self.scenario.arrivals, Closed):
            yield "A closed loop: callers wait for answers, so a slower server got fewer calls."
        if self.lag.values["p99"] > MAX_LAG_MS:
            yield f"The generator was late: {self.lag.values['p99']:.0f} ms at p99. Latencies include this delay."
        if self.machine.is_busy:
            yield self.machine.busy_note


def _row(part: PartResult) -> list[str]:
    return [
        part.name,
        f"{part.num_calls:,}",
        f"{part.num_failed:,}",
        f"{part.calls_per_s:.1f}",
        f"{part.tokens_per_s:,.0f}",
        *part.latency.cells(),
    ]
