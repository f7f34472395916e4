"""The results of a soak as JSON and as tables."""

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.measurement import Measurement
from benchmarks.harness.spread import Spread, percentile
from benchmarks.harness.tables import Table
from benchmarks.harness.verdict import VERDICT_HEADER, Verdict
from benchmarks.loadtest.load_report import PartResult, Percentiles
from benchmarks.loadtest.runner import Outcome
from benchmarks.soak.watch import Sample

MAX_GROWTH = 0.03  # of memory
MAX_DRIFT = 0.10  # of p99
NUM_FIFTHS = 5


class Stretch(BaseModel):
    """A part of the measurement.

    Attributes:
        begins_s: its start, from the start of the measurement.
        num_failed: calls that ended with an unexpected status.
        p50_ms, p99_ms: latencies from a call's due time; None without answers.
        resident_mb, num_open_files, num_threads: medians of the server's samples.
        threads: median number of threads by name.
    """

    model_config = ConfigDict(frozen=True)

    begins_s: float
    seconds: float
    num_calls: int
    num_failed: int
    p50_ms: float | None
    p99_ms: float | None
    resident_mb: float
    num_open_files: float
    num_threads: float
    threads: dict[str, float]

    @classmethod
    def of(cls, begins_s: float, seconds: float, outcomes: Sequence[Outcome], samples: Sequence[Sample]) -> Self:
        """Summarizes the calls that were due and the samples that were taken in the stretch."""
        ends_s = begins_s + seconds
        due = [outcome for outcome in outcomes if begins_s <= outcome.due < ends_s]
        seen = [sample for sample in samples if begins_s <= sample.at_s < ends_s]
        times = [1000 * outcome.latency_s for outcome in due if outcome.code == "OK"]
        return cls(
            begins_s=round(begins_s, 2),
            seconds=round(seconds, 2),
            num_calls=len(due),
            num_failed=sum(not outcome.is_expected for outcome in due),
            p50_ms=round(percentile(times, 0.5), 2) if times else None,
            p99_ms=round(percentile(times, 0.99), 2) if times else None,
            resident_mb=round(median(sample.resident_mb for sample in seen), 2),
            num_open_files=median(sample.num_open_files for sample in seen),
            num_threads=median(sum(sample.threads.values()) for sample in seen),
            threads={
                name: median(sample.threads.get(name, 0) for sample in seen)
                for name in sorted({name for sample in seen for name in sample.threads})
            },
        )


class SoakReport(Measurement):
    """A soak.

    Attributes:
        share: call rate over the capacity.
        capacities: calls per second in a closed loop, before the warm-up and before each fifth.
        warmup: the load before the measurement, which may not have failed calls either.
        lag: the generator's delays.
        fifths: five loads with the same calls.
        course: the measurement in shorter stretches, for the picture.
    """

    benchmark: Literal["soak"] = "soak"
    minutes: float
    share: float
    capacities: tuple[Spread, ...]
    total: PartResult
    parts: tuple[PartResult, ...]
    warmup: PartResult
    lag: Percentiles
    fifths: tuple[Stretch, ...]
    course: tuple[Stretch, ...]

    @property
    def memory_growth(self) -> float:
        """Growth from the first fifth to the last, relative to the first."""
        return self.fifths[-1].resident_mb / self.fifths[0].resident_mb - 1

    @property
    def p99_drift(self) -> float:
        """Change of p99 from the first fifth to the last, relative to the first; negative if the server became faster.

        Compares medians of the stretches' p99: other work on the machine affects few stretches of a fifth, a change of
        the server affects all of them.
        """
        length = len(self.course) // NUM_FIFTHS
        first, last = self._usual_p99(self.course[:length]), self._usual_p99(self.course[-length:])
        return last / first - 1

    @staticmethod
    def _usual_p99(stretches: Sequence[Stretch]) -> float:
        return median(math.inf if stretch.p99_ms is None else stretch.p99_ms for stretch in stretches)

    def verdicts(self) -> list[Verdict]:
        """The bounds on failed calls, memory, latency, open files and threads."""
        first, last = self.fifths[0], self.fifths[-1]
        failed = self.total.num_failed + self.warmup.num_failed
        return [
            Verdict("failed calls", f"{failed}", "0", failed == 0),
            Verdict(
                "growth of resident memory",
                f"{100 * self.memory_growth:.1f} %",
                f"under {100 * MAX_GROWTH:.0f} %",
                self.memory_growth < MAX_GROWTH,
            ),
            Verdict(
                f"drift of p99 of {self.course[0].seconds:g} s, median of a fifth",
                f"{100 * self.p99_drift:.1f} %",
                f"under {100 * MAX_DRIFT:.0f} %",
                self.p99_drift < MAX_DRIFT,
            ),
            _flat("open files", first.num_open_files, last.num_open_files),
            _flat("threads", first.num_threads, last.num_threads),
        ]

    @property
    def is_met(self) -> bool:
        """Whether every bound is met."""
        return all(verdict.is_met for verdict in self.verdicts())

    def tables(self) -> Iterator[Table]:
        """The bounds, the fifths, threads by name, and kinds of calls."""
        title = f"{self.minutes:g} minutes at {100 * self.share:.0f} % of capacity: the last fifth beside the first"
        yield Table(title, VERDICT_HEADER, [verdict.cells() for verdict in self.verdicts()])
        header = ["minute", "capacity", "due a second", "failed", "p50 ms", "p99 ms", "MB", "open files", "threads"]
        fifths = zip(self.capacities[1:], self.fifths, strict=True)
        yield Table("Fifths, each with the same calls", header, [_row(capacity, fifth) for capacity, fifth in fifths])
        header = ["threads named", *(f"minute {fifth.begins_s / 60:.1f}" for fifth in self.fifths)]
        yield Table("Threads, the median of each fifth", header, list(self._thread_rows()))
        header = ["calls", "due", "failed", "answered", "refused or cancelled", "p50 ms", "p99 ms"]
        yield Table("Kinds of calls", header, [_part_row(part) for part in (*self.parts, self.total)])

    def _thread_rows(self) -> Iterator[list[str]]:
        for name in sorted({name for fifth in self.fifths for name in fifth.threads}):
            yield [f"`{name}`", *(f"{fifth.threads.get(name, 0):g}" for fifth in self.fifths)]

    def notes(self) -> Iterator[str]:
        """Definitions, the generator's delay, and whether other work ran."""
        yield "Capacity: calls per second in a closed loop, measured right before the fifth; a median."
        first, last = self.fifths[0].p99_ms, self.fifths[-1].p99_ms
        if first and last:
            yield f"p99 over the whole last fifth is {last / first:.2f} times p99 over the whole first fifth."
        yield f"Calls were sent {self.lag.values['p99']:.0f} ms late at p99; latencies include this delay."
        if self.machine.is_busy:
            yield self.machine.busy_note


def _flat(what: str, first: float, last: float) -> Verdict:
    return Verdict(what, f"{first:g} to {last:g}", "no more", last <= first)


def _row(capacity: Spread, fifth: Stretch) -> list[str]:
    return [
        f"{fifth.begins_s / 60:.1f}",
        f"{capacity.median:.1f}",
        f"{fifth.num_calls / fifth.seconds:.1f}",
        f"{fifth.num_failed}",
        f"{fifth.p50_ms:.0f}",
        f"{fifth.p99_ms:.0f}",
        f"{fifth.resident_mb:.0f}",
        f"{fifth.num_open_files:g}",
        f"{fifth.num_threads:g}",
    ]


def _part_row(part: PartResult) -> list[str]:
    answered = part.codes.get("OK", 0)
    counts = (part.num_calls, part.num_failed, answered, part.num_expected)
    times = [f"{part.latency.values[name]:.0f}" if part.latency.values else "" for name in ("p50", "p99")]
    return [part.name, *(f"{count:,}" for count in counts), *times]
