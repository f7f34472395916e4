"""The comparison of two commits as JSON and as a table."""

from collections.abc import Iterator
from statistics import median
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from benchmarks.commits.pairs import Sample
from benchmarks.commits.ratios import Ratio, paired_ratio
from benchmarks.harness.measurement import Measurement
from benchmarks.harness.tables import Table

MAX_RATIO = 1.02  # of processor time, after over before
MIN_PAIRS = 20

Verdict = Literal["worse", "not worse", "undecided"]


class Side(BaseModel):
    """The samples of one commit, one per pair.

    Attributes:
        cpu_ms: processor time per unit of work.
        per_s: units of work a second.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu_ms: tuple[float, ...]
    per_s: tuple[float, ...]

    @classmethod
    def of(cls, samples: tuple[Sample, ...]) -> Self:
        """Divides time by work."""
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
        """Worse if the whole interval lies above the bound; undecided if the bound lies within the interval."""
        if self.cpu.low > MAX_RATIO:
            return "worse"
        return "not worse" if self.cpu.high <= MAX_RATIO else "undecided"


class CommitsReport(Measurement):
    """The compared rows.

    Attributes:
        before, after: short hashes; "+" marks a working tree with changed files.
        seconds: length of a sample.
        rows: with two pairs or more each.
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
        """One table with all rows."""
        yield Table(
            f"Processor time, {self.after} over {self.before}: mean ratio (95 % interval)",
            ["row", "", "pairs", "before", "after", "ratio", "verdict", "throughput, ratio"],
            [_cells(row) for row in self.rows],
        )

    def notes(self) -> Iterator[str]:
        """How to read the table, and what makes it unreliable."""
        yield (
            f"Alternating samples of {self.seconds:g} s; before and after are medians of the user and system time of "
            f"the server or engine. Worse: the whole interval lies above {MAX_RATIO}; undecided: it contains the bound."
        )
        if any(len(row.before.cpu_ms) < MIN_PAIRS for row in self.rows):
            yield f"Fewer than {MIN_PAIRS} pairs: a rough measurement."
        if self.machine.is_busy:
            yield f"Other work ran before (load {self.machine.load_before}), which widens the intervals."


def _cells(row: ComparedRow) -> list[str]:
    costs = [f"{median(side.cpu_ms):.3f} ms a {row.unit}" for side in (row.before, row.after)]
    return [
        row.name, row.title, str(len(row.before.cpu_ms)), *costs, _text(row.cpu), row.verdict, _text(row.throughput),
    ]  # fmt: skip


def _text(ratio: Ratio) -> str:
    return f"{ratio.mean:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"
