"""The results of all hostile callers at once as JSON and as a table."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.measurement import Measurement
from benchmarks.harness.tables import Table
from benchmarks.harness.verdict import VERDICT_HEADER, Verdict


class HonestRow(BaseModel):
    """One honest caller. Attributes: first_loss: the error of the first call that was lost."""

    model_config = ConfigDict(frozen=True)

    caller: str
    num_calls: int
    p50_ms: float
    p95_ms: float
    num_lost: int
    num_wrong: int
    first_loss: str


class TogetherReport(Measurement):
    """Honest callers beside all attacks at once.

    Attributes:
        has_ended: whether the server's process ended meanwhile.
        peak_mib: the server's most resident memory.
        group_peak_mib: that of the control group, with the decoder of pictures and the pages of files.
        memory_mib: the limit of the group.
    """

    benchmark: Literal["hostile-together"] = "hostile-together"
    minutes: float
    rows: list[HonestRow]
    has_ended: bool
    peak_mib: float
    group_peak_mib: float
    memory_mib: int

    def tables(self) -> Iterator[Table]:
        """The bounds, then each caller."""
        yield Table("All hostile callers at once", VERDICT_HEADER, [verdict.cells() for verdict in self.verdicts()])
        header = ["honest caller", "calls", "p50 ms", "p95 ms", "lost", "wrong"]
        rows = [
            [r.caller, f"{r.num_calls}", f"{r.p50_ms:.1f}", f"{r.p95_ms:.1f}", f"{r.num_lost}", f"{r.num_wrong}"]
            for r in self.rows
        ]
        yield Table("Honest callers beside them", header, rows)

    def verdicts(self) -> Iterator[Verdict]:
        """What the server promises."""
        num_lost, num_wrong = sum(row.num_lost for row in self.rows), sum(row.num_wrong for row in self.rows)
        yield Verdict("honest calls lost", f"{num_lost}", "0", not num_lost)
        yield Verdict("wrong answers", f"{num_wrong}", "0", not num_wrong)
        yield Verdict("the server's process ended", "yes" if self.has_ended else "no", "no", not self.has_ended)
        limit = f"{self.memory_mib} MiB"
        yield Verdict("peak memory", f"{self.peak_mib:.0f} MiB", limit, 0 < self.peak_mib <= self.memory_mib)

    def notes(self) -> Iterator[str]:
        """How to read the figures."""
        yield (
            f"{self.minutes:g} minutes. The limit is of a control group, as of a container, which had up to "
            f"{self.group_peak_mib:.0f} MiB, pages of files included."
        )
        for row in self.rows:
            if row.first_loss:
                yield f"{row.caller}, first loss: {row.first_loss}"
        if self.machine.is_busy:
            yield self.machine.busy_note
