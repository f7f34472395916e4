"""What the comparison of two commits found, as JSON and as a table."""

from collections.abc import Iterator
from statistics import median
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from benchmarks.commits.pairs import Sample
from benchmarks.commits.ratios import Ratio, paired_ratio
from benchmarks.harness.measurement import Measurement
from benchmarks.harness.tables import Table

WORSE_BEYOND = 1.02  # times the processor time of before
ENOUGH_PAIRS = 20

Verdict = Literal["worse", "not worse", "undecided"]


class Side(BaseModel):
    """The samples of one commit, one a pair.

    Attributes:
        cpu_ms: processor time of a unit of work.
        per_s: units of work a second.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu_ms: tuple[float, ...]
    per_s: tuple[float, ...]

    @classmethod
    def of(cls, samples: tuple[Sample, ...]) -> Self:
        return cls(
            cpu_ms=tuple(round(1000 * each.cpu_s / each.amount, 5) for each in samples),
            per_s=tuple(round(each.amount / each.seconds, 2) for each in samples),
        )


class ComparedRow(BaseModel):
    """A row's samples of both commits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    unit: str
    before: Side
    after: Side

    @property
    def cpu(self) -> Ratio:
        """Processor time after over before."""
        return paired_ratio(self.before.cpu_ms, self.after.cpu_ms)

    @property
    def throughput(self) -> Ratio:
        """Units a second after over before."""
        return paired_ratio(self.before.per_s, self.after.per_s)

    @property
    def verdict(self) -> Verdict:
        """Worse only where the whole interval lies beyond the bound, undecided where the bound lies within it."""
        if self.cpu.low > WORSE_BEYOND:
            return "worse"
        return "not worse" if self.cpu.high <= WORSE_BEYOND else "undecided"


class CommitsReport(Measurement):
    """All rows.

    Attributes:
        before, after: the commits, "+" behind one whose files had changed since.
        seconds: length of a sample.
        rows: of two pairs at least.
    """

    benchmark: Literal["commits"] = "commits"
    before: str
    after: str
    seconds: float
    rows: tuple[ComparedRow, ...]

    @property
    def worse(self) -> tuple[str, ...]:
        """Names of the rows that are worse."""
        return tuple(row.name for row in self.rows if row.verdict == "worse")

    def tables(self) -> Iterator[Table]:
        yield Table(
            f"Processor time, {self.after} over {self.before}: mean ratio (95 % interval)",
            ["row", "", "pairs", "before", "after", "ratio", "verdict", "throughput, ratio"],
            [_cells(row) for row in self.rows],
        )

    def notes(self) -> Iterator[str]:
        yield (
            f"Samples of {self.seconds:g} s, in turns; medians of the server's or engine's user and system time. "
            f"Worse: the whole interval lies beyond {WORSE_BEYOND}; undecided: {WORSE_BEYOND} lies within it."
        )
        if any(len(row.before.cpu_ms) < ENOUGH_PAIRS for row in self.rows):
            yield f"Fewer than {ENOUGH_PAIRS} pairs: for a glance only."
        if self.machine.is_busy:
            yield f"The machine was busy before (load {self.machine.load_before}), which widens the intervals."


def _cells(row: ComparedRow) -> list[str]:
    costs = [f"{median(side.cpu_ms):.3f} ms a {row.unit}" for side in (row.before, row.after)]
    return [
        row.name, row.title, str(len(row.before.cpu_ms)), *costs, _text(row.cpu), row.verdict, _text(row.throughput),
    ]  # fmt: skip


def _text(ratio: Ratio) -> str:
    return f"{ratio.mean:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"
