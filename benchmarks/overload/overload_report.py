"""The results of an overload as JSON and as tables."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.measurement import Measurement
from benchmarks.harness.spread import Spread, percentile
from benchmarks.harness.tables import Table
from benchmarks.harness.verdict import VERDICT_HEADER, Verdict
from benchmarks.loadtest.runner import Outcome

MIN_GOODPUT = 0.9  # of the capacity
MAX_LATE_SHARE = 0.01  # of the admitted calls: then p99 keeps the deadline
MAX_REFUSAL_MS = 100.0
REFUSED = "RESOURCE_EXHAUSTED"
LOST = "UNAVAILABLE"  # with a process that was killed


class Round(BaseModel):
    """The capacity and the overload of one round.

    Attributes:
        capacity_per_s: answered calls per second in a closed loop.
        due_per_s: sent calls per second.
        good_per_s: calls per second that were answered correctly within their deadline.
        codes: number of calls by status.
        num_with_delay: refused calls with a retry delay (RetryInfo).
        admitted_p50_ms, admitted_p99_ms: latency of admitted calls from their due time; a late call ends at its
            deadline.
        refusal_p50_ms, refusal_p99_ms: latency of refusals from when the call was sent; None without refusals.
        delay_p50_s: retry delay of refused calls.
        lag_p99_ms: the generator's delay.
    """

    model_config = ConfigDict(frozen=True)

    capacity_per_s: float
    due_per_s: float
    good_per_s: float
    codes: dict[str, int]
    num_with_delay: int
    admitted_p50_ms: float
    admitted_p99_ms: float
    refusal_p50_ms: float | None
    refusal_p99_ms: float | None
    delay_p50_s: float | None
    lag_p99_ms: float

    @classmethod
    def of(cls, capacity_per_s: float, seconds: float, outcomes: Sequence[Outcome]) -> Self:
        """Summarizes the calls that were due in the measurement.

        Raises:
            ValueError: the server admitted none of them.
        """
        counted = [outcome for outcome in outcomes if 0 <= outcome.due < seconds]
        refused = [outcome for outcome in counted if outcome.code == REFUSED]
        admitted = [1000 * outcome.latency_s for outcome in counted if outcome.code != REFUSED]
        if not admitted:
            raise ValueError("no call was admitted")
        refusals = [1000 * (outcome.done - outcome.sent) for outcome in refused]
        delays = [outcome.retry_after_s for outcome in refused if outcome.retry_after_s is not None]
        return cls(
            capacity_per_s=round(capacity_per_s, 2),
            due_per_s=round(len(counted) / seconds, 2),
            good_per_s=round(sum(outcome.code == "OK" for outcome in counted) / seconds, 2),
            codes=dict(sorted(Counter(outcome.code for outcome in counted).items())),
            num_with_delay=len(delays),
            admitted_p50_ms=round(percentile(admitted, 0.5), 2),
            admitted_p99_ms=round(percentile(admitted, 0.99), 2),
            refusal_p50_ms=round(percentile(refusals, 0.5), 2) if refusals else None,
            refusal_p99_ms=round(percentile(refusals, 0.99), 2) if refusals else None,
            delay_p50_s=round(percentile(delays, 0.5), 3) if delays else None,
            lag_p99_ms=round(1000 * percentile([outcome.sent - outcome.due for outcome in counted], 0.99), 2),
        )

    @property
    def goodput(self) -> float:
        """Calls answered correctly within their deadline, over the capacity."""
        return self.good_per_s / self.capacity_per_s

    @property
    def num_refused(self) -> int:
        """Calls that the server refused as overloaded."""
        return self.codes.get(REFUSED, 0)

    @property
    def late_share(self) -> float:
        """Share of the admitted calls that were not answered correctly within their deadline; without those lost."""
        admitted = sum(self.codes.values()) - self.num_refused - self.codes.get(LOST, 0)
        return 1 - self.codes.get("OK", 0) / admitted


class OverloadReport(Measurement):
    """All rounds.

    Attributes:
        factor: call rate over the capacity.
        deadline_s: deadline of every call.
        processes: of the server.
        is_killing: whether one of them was killed in each round.
    """

    benchmark: Literal["overload"] = "overload"
    factor: float
    deadline_s: float
    processes: int = 1
    is_killing: bool = False
    rounds: tuple[Round, ...]

    def verdicts(self) -> list[Verdict]:
        """Medians of ratios within rounds; of latencies the worst round."""
        goodput = Spread.of([each.goodput for each in self.rounds])
        late = Spread.of([each.late_share for each in self.rounds])
        codes = Counter[str]()
        for each in self.rounds:
            codes.update(each.codes)
        expected = ("OK", REFUSED, "DEADLINE_EXCEEDED", *([LOST] if self.is_killing else []))
        others = codes.total() - sum(codes[code] for code in expected)
        return [
            Verdict(
                "calls answered within their deadline, over the capacity",
                goodput.text(".2f"),
                f"at least {MIN_GOODPUT}",
                goodput.median >= MIN_GOODPUT,
            ),
            Verdict(
                f"admitted calls that took longer than {self.deadline_s:g} s",
                f"{100 * late.median:.1f} %",
                f"at most {100 * MAX_LATE_SHARE:.0f} %",
                late.median <= MAX_LATE_SHARE,
            ),
            *self._refusal_verdicts(),
            Verdict("calls with another status", f"{others}", "0", others == 0),
        ]

    def _refusal_verdicts(self) -> Iterator[Verdict]:
        num_refused = sum(each.num_refused for each in self.rounds)
        num_with_delay = sum(each.num_with_delay for each in self.rounds)
        times = [each.refusal_p99_ms for each in self.rounds if each.refusal_p99_ms is not None]
        yield Verdict(
            "refused calls without a retry delay",
            f"{num_refused - num_with_delay}",
            "0",
            num_with_delay == num_refused > 0,
        )
        yield Verdict(
            "latency of a refusal, p99",
            f"{max(times, default=0):.0f} ms",
            f"at most {MAX_REFUSAL_MS:.0f} ms",
            bool(times) and max(times) <= MAX_REFUSAL_MS,
        )

    @property
    def is_met(self) -> bool:
        """Whether every bound is met."""
        return all(verdict.is_met for verdict in self.verdicts())

    def tables(self) -> Iterator[Table]:
        """The bounds, then each round."""
        title = f"{self.factor:g} times the capacity, {self.deadline_s:g} s for each call: median (least to most)"
        yield Table(title, VERDICT_HEADER, [verdict.cells() for verdict in self.verdicts()])
        header = [
            "round", "capacity/s", "due/s", "answered/s", "refused", "late", "admitted p50 ms", "admitted p99 ms",
            "refusal p50 ms", "refusal p99 ms", "retry delay s",
        ]  # fmt: skip
        yield Table("Rounds", header, [_row(number, each) for number, each in enumerate(self.rounds, 1)])

    def notes(self) -> Iterator[str]:
        """The processes, the generator's delay, and whether other work ran."""
        if self.processes > 1:
            lost = sum(each.codes.get(LOST, 0) for each in self.rounds)
            fate = (
                f"; one was killed in each round, with {lost} calls, which ended as UNAVAILABLE"
                if self.is_killing
                else ""
            )
            yield f"The server had {self.processes} processes{fate}."
        lag = max(each.lag_p99_ms for each in self.rounds)
        yield f"Calls were sent at most {lag:.0f} ms late at p99; latencies of admitted calls include this delay."
        if self.machine.is_busy:
            yield self.machine.busy_note


def _row(number: int, each: Round) -> list[str]:
    late = each.codes.get("DEADLINE_EXCEEDED", 0)
    rates = (each.capacity_per_s, each.due_per_s, each.good_per_s)
    times = (each.admitted_p50_ms, each.admitted_p99_ms, each.refusal_p50_ms, each.refusal_p99_ms)
    return [
        f"{number}",
        *(f"{rate:.1f}" for rate in rates),
        f"{each.num_refused:,}",
        f"{late:,}",
        *("" if time is None else f"{time:.0f}" for time in times),
        "" if each.delay_p50_s is None else f"{each.delay_p50_s:.2f}",
    ]
