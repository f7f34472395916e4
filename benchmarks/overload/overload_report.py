"""What an overload found, as JSON and as tables."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.measurement import Measurement
from benchmarks.harness.spread import Spread, percentile
from benchmarks.harness.tables import Table
from benchmarks.harness.verdict import Verdict
from benchmarks.loadtest.runner import Outcome

MIN_GOODPUT = 0.9  # of the capacity
MAX_LATE = 0.01  # of what was admitted: then p99 is within the deadline
AT_ONCE_MS = 100.0
REFUSED = "RESOURCE_EXHAUSTED"


class Round(BaseModel):
    """The capacity, and the overload after it.

    Attributes:
        capacity_per_s: calls a second that were answered when callers waited for their answers.
        due_per_s: calls a second that were sent.
        good_per_s: calls a second that were answered rightly within their deadline.
        codes: how the calls ended: how often which status.
        num_with_delay: refused calls that were told when to come back (RetryInfo).
        admitted_p50_ms, admitted_p99_ms: of the calls that were not refused, from when they were due to their end,
            which for the late ones is the deadline.
        refusal_p50_ms, refusal_p99_ms: of the refused calls, from when they were sent; None where none was.
        delay_p50_s: when refused callers were told to come back.
        lag_p99_ms: how late calls were sent: the generator's own fault.
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
        """Of what was due in the time that counts.

        Raises:
            ValueError: nothing was admitted then.
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
        """Of the capacity."""
        return self.good_per_s / self.capacity_per_s

    @property
    def num_refused(self) -> int:
        return self.codes.get(REFUSED, 0)

    @property
    def late(self) -> float:
        """Share of the admitted calls that were not answered rightly within their deadline."""
        admitted = sum(self.codes.values()) - self.num_refused
        return 1 - self.codes.get("OK", 0) / admitted


class OverloadReport(Measurement):
    """All rounds.

    Attributes:
        factor: calls sent, of the capacity.
        deadline_s: what every call was given.
    """

    benchmark: Literal["overload"] = "overload"
    factor: float
    deadline_s: float
    rounds: tuple[Round, ...]

    def verdicts(self) -> list[Verdict]:
        """Ratios are taken within a round; the median of the rounds counts, and of times the worst."""
        goodput = Spread.of([each.goodput for each in self.rounds])
        late = Spread.of([each.late for each in self.rounds])
        refused = sum(each.num_refused for each in self.rounds)
        told = sum(each.num_with_delay for each in self.rounds)
        times = [each.refusal_p99_ms for each in self.rounds if each.refusal_p99_ms is not None]
        others = sum(sum(each.codes.values()) for each in self.rounds) - sum(
            each.codes.get(code, 0) for each in self.rounds for code in ("OK", REFUSED, "DEADLINE_EXCEEDED")
        )
        return [
            Verdict(
                "calls answered within their deadline, of the capacity",
                goodput.text(".2f"),
                f"at least {MIN_GOODPUT}",
                goodput.median >= MIN_GOODPUT,
            ),
            Verdict(
                f"admitted calls that took longer than {self.deadline_s:g} s",
                f"{100 * late.median:.1f} %",
                f"at most {100 * MAX_LATE:.0f} %",
                late.median <= MAX_LATE,
            ),
            Verdict("refused calls without a time to come back", f"{refused - told}", "0", told == refused > 0),
            Verdict(
                "time to a refusal, p99",
                f"{max(times, default=0):.0f} ms",
                f"at most {AT_ONCE_MS:.0f} ms",
                bool(times) and max(times) <= AT_ONCE_MS,
            ),
            Verdict("calls that ended otherwise", f"{others}", "0", others == 0),
        ]

    @property
    def holds(self) -> bool:
        return all(verdict.holds for verdict in self.verdicts())

    def tables(self) -> Iterator[Table]:
        title = f"{self.factor:g} times the capacity, {self.deadline_s:g} s for each call: median (least to most)"
        yield Table(title, ["", "found", "wanted", "holds"], [verdict.cells() for verdict in self.verdicts()])
        header = [
            "round", "capacity/s", "due/s", "answered/s", "refused", "late", "admitted p50 ms", "admitted p99 ms",
            "refusal p50 ms", "refusal p99 ms", "come back after s",
        ]  # fmt: skip
        yield Table("Rounds", header, [_row(number, each) for number, each in enumerate(self.rounds, 1)])

    def notes(self) -> Iterator[str]:
        lag = max(each.lag_p99_ms for each in self.rounds)
        yield f"Calls were sent at most {lag:.0f} ms late at p99; latencies of admitted calls include that."
        if self.machine.is_busy:
            yield f"The machine was busy with other work (load {self.machine.load_before} before)."


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
