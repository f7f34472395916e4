"""The results of hostile callers as JSON and as a table."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.measurement import Measurement
from benchmarks.harness.tables import Table
from benchmarks.harness.verdict import VERDICT_HEADER, Verdict

MAX_STALL_MS = 50.0
MAX_PEAK_MIB = 900.0
MAX_SLOWDOWN = 3.0
MAX_EXIT_S = 2.0  # beyond drain_timeout_s


class AttackRow(BaseModel):
    """What one attack does while it is repeated.

    Attributes:
        honest_p50_ms, honest_p95_ms: latency of an honest caller with one call at a time, from an address of its own.
        stall_ms: the longest wait of a probe that asks every 20 ms whether the process lives.
        peak_mib: the process' most resident memory so far.
    """

    model_config = ConfigDict(frozen=True)

    attack: str
    honest_p50_ms: float
    honest_p95_ms: float
    stall_ms: float
    peak_mib: float
    num_lost: int


class HostileReport(Measurement):
    """Every attack beside an honest caller, and the caller alone first.

    Attributes:
        exit_s: from SIGTERM to the end of the process, under all attacks.
        drain_timeout_s: the setting.
    """

    benchmark: Literal["hostile"] = "hostile"
    alone: AttackRow
    rows: list[AttackRow]
    exit_s: float
    drain_timeout_s: float

    def tables(self) -> Iterator[Table]:
        """The bounds, then each attack."""
        yield Table("Hostile callers", VERDICT_HEADER, [verdict.cells() for verdict in self.verdicts()])
        header = ["attack", "honest p50 ms", "honest p95 ms", "longest stall ms", "peak MiB", "honest calls lost"]
        yield Table("An honest caller beside one hostile caller", header, [_row(r) for r in (self.alone, *self.rows)])

    def verdicts(self) -> Iterator[Verdict]:
        """What the server promises."""
        stall = max(row.stall_ms for row in self.rows)
        peak = max(row.peak_mib for row in self.rows)
        slowdown = max(row.honest_p50_ms for row in self.rows) / self.alone.honest_p50_ms
        late = max(row.honest_p95_ms for row in self.rows) / self.alone.honest_p95_ms
        num_lost = sum(row.num_lost for row in self.rows)
        most_s = self.drain_timeout_s + MAX_EXIT_S
        yield Verdict(
            "longest stall of the event loop", f"{stall:.0f} ms", f"{MAX_STALL_MS:g} ms", stall <= MAX_STALL_MS
        )
        yield Verdict("peak memory", f"{peak:.0f} MiB", f"{MAX_PEAK_MIB:g} MiB", peak <= MAX_PEAK_MIB)
        yield Verdict(
            "honest p50 beside any attack, over alone", f"{slowdown:.1f}", f"{MAX_SLOWDOWN:g}", slowdown <= MAX_SLOWDOWN
        )
        yield Verdict(
            "honest p95 beside any attack, over alone", f"{late:.1f}", f"{MAX_SLOWDOWN:g}", late <= MAX_SLOWDOWN
        )
        yield Verdict("honest calls lost", f"{num_lost}", "0", not num_lost)
        yield Verdict("from SIGTERM to the end", f"{self.exit_s:.1f} s", f"{most_s:g} s", self.exit_s <= most_s)

    def notes(self) -> Iterator[str]:
        """How to read the figures."""
        yield "A stall includes the time that the probe itself waits for a core, which attackers and server share."
        if self.machine.is_busy:
            yield self.machine.busy_note


def _row(row: AttackRow) -> list[str]:
    times = (row.honest_p50_ms, row.honest_p95_ms, row.stall_ms, row.peak_mib)
    return [row.attack, *(f"{value:.1f}" for value in times), f"{row.num_lost}"]
