"""The results of corpora as JSON and as tables."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks.bulk.run_worker import MemorySample
from benchmarks.harness.measurement import Measurement
from benchmarks.harness.spread import Spread
from benchmarks.harness.tables import Table
from benchmarks.harness.verdict import VERDICT_HEADER, Verdict

MIN_RATIO = 0.95  # of the saturated rate
MAX_GROWTH = 1.1  # of memory, with ten times as many rows
MIN_RAY_RATIO = 0.9  # of engines without Ray


class Round(BaseModel):
    """The rates of one round, in sentences per second.

    Attributes:
        clients: of many clients with one sentence a call, which keep the server busy.
        mapped: of `client.map`, whose results are not kept.
        written: of a corpus, whose results are in files at the end.
    """

    model_config = ConfigDict(frozen=True)

    clients: float
    mapped: float
    written: float


class AlignedRound(BaseModel):
    """The rates of one round with alignments, in sentences per second.

    Attributes:
        full_batches: of calls that cost the client least and keep the engine full, whose answers are left unread.
        mapped: of `client.map`, with the weights of each alignment read.
    """

    model_config = ConfigDict(frozen=True)

    full_batches: float
    mapped: float


class BulkReport(Measurement):
    """All rounds.

    Attributes:
        num_rows: of the corpus of each round.
        num_clients: of the many.
        aligned: rounds with alignments.
        peak_mb: most memory of the client, by rows of the corpus.
        long_rate: sentences per second of the longest corpus.
        samples: of memory while the longest corpus ran.
    """

    benchmark: Literal["bulk"] = "bulk"
    num_rows: int
    num_clients: int
    rounds: tuple[Round, ...]
    aligned: tuple[AlignedRound, ...] = ()
    peak_mb: dict[int, float]
    long_rate: float
    samples: tuple[MemorySample, ...] = ()

    def verdicts(self) -> list[Verdict]:
        """Medians of ratios within rounds."""
        clients = Spread.of([each.written / each.clients for each in self.rounds])
        mapped = Spread.of([each.written / each.mapped for each in self.rounds])
        small, large = self.peak_mb[min(self.peak_mb)], self.peak_mb[max(self.peak_mb)]
        times = max(self.peak_mb) / min(self.peak_mb)
        bound = f"at least {MIN_RATIO}"
        return [
            Verdict(
                f"rate of a corpus over that of {self.num_clients} clients",
                clients.text(),
                bound,
                clients.median >= MIN_RATIO,
            ),
            Verdict("rate of a corpus over that of client.map", mapped.text(), bound, mapped.median >= MIN_RATIO),
            self._long_verdict(),
            Verdict(
                f"memory of a corpus {times:g} times as long",
                f"{large / small:.2f} ({small:.0f} and {large:.0f} MB)",
                f"at most {MAX_GROWTH}",
                large / small <= MAX_GROWTH,
            ),
            *self._aligned_verdicts(),
        ]

    def _long_verdict(self) -> Verdict:
        """The longest corpus over the median of `client.map`: no round has both."""
        ratio = self.long_rate / Spread.of([each.mapped for each in self.rounds]).median
        what = f"rate of a corpus of {max(self.peak_mb):,} rows over that of client.map"
        return Verdict(what, f"{ratio:.3f}", f"at least {MIN_RATIO}", ratio >= MIN_RATIO)

    def _aligned_verdicts(self) -> list[Verdict]:
        """The bound of `client.map`; none of a report of an earlier version, which lacks these rounds."""
        if not self.aligned:
            return []
        ratio = Spread.of([each.mapped / each.full_batches for each in self.aligned])
        what = "rate of client.map over that of full batches, with alignments"
        return [Verdict(what, ratio.text(), f"at least {MIN_RATIO}", ratio.median >= MIN_RATIO)]

    @property
    def is_met(self) -> bool:
        """Whether every bound is met."""
        return all(verdict.is_met for verdict in self.verdicts())

    def tables(self) -> list[Table]:
        """Rates, and bounds."""
        rows: Sequence[tuple[str, Spread]] = (
            (f"{self.num_clients} clients, a sentence a call", Spread.of([each.clients for each in self.rounds])),
            ("client.map, results dropped", Spread.of([each.mapped for each in self.rounds])),
            (f"corpus of {self.num_rows:,} rows, Parquet", Spread.of([each.written for each in self.rounds])),
            (f"corpus of {max(self.peak_mb):,} rows, Parquet", Spread.of([self.long_rate])),
        )
        if self.aligned:
            full, mapped = zip(*((each.full_batches, each.mapped) for each in self.aligned), strict=True)
            rows = (
                *rows,
                ("full batches with alignments, answers unread", Spread.of(full)),
                ("client.map with alignments, all read", Spread.of(mapped)),
            )
        rates = Table("sentences per second", ("", "median (range)"), [(name, each.text(".1f")) for name, each in rows])
        bounds = Table("bounds", VERDICT_HEADER, [verdict.cells() for verdict in self.verdicts()])
        return [rates, *self._memory(), bounds]

    def _memory(self) -> list[Table]:
        if not self.samples:
            return []
        title = f"resident memory in the course of {max(self.peak_mb):,} rows, MB"
        rows = [(f"{s.seconds:.0f}", f"{s.client_mb:.0f}", f"{s.server_mb:.0f}") for s in self.samples]
        return [Table(title, ("seconds", "client", "server"), rows)]

    def notes(self) -> list[str]:
        """What a reader must know."""
        busy = [self.machine.busy_note] if self.machine.is_busy else []
        return [
            "Server and client share the cores: what the client does, the server cannot.",
            "Rates of a corpus include the first reading of its file and the last renaming of a shard.",
            *busy,
        ]


class RayRound(BaseModel):
    """Sentences per second of one round, by engines in processes and in actors of Ray."""

    model_config = ConfigDict(frozen=True)

    processes: float
    actors: float


class RayReport(Measurement):
    """Engines of one worker each, with Ray and without.

    Attributes:
        num_rows: sentences of a round, for all engines.
    """

    benchmark: Literal["bulk-ray"] = "bulk-ray"
    num_rows: int
    num_engines: int
    rounds: tuple[RayRound, ...]

    def verdicts(self) -> list[Verdict]:
        """The median of the ratios within rounds."""
        ratio = Spread.of([each.actors / each.processes for each in self.rounds])
        what = f"rate of {self.num_engines} actors over that of {self.num_engines} processes"
        return [Verdict(what, ratio.text(), f"at least {MIN_RAY_RATIO}", ratio.median >= MIN_RAY_RATIO)]

    @property
    def is_met(self) -> bool:
        """Whether the bound is met."""
        return all(verdict.is_met for verdict in self.verdicts())

    def tables(self) -> list[Table]:
        """Rates, and the bound."""
        processes = Spread.of([each.processes for each in self.rounds])
        actors = Spread.of([each.actors for each in self.rounds])
        rows = [("processes", processes.text(".1f")), ("actors of Ray", actors.text(".1f"))]
        title = f"sentences per second, {self.num_engines} engines of one worker"
        bounds = Table("bound", VERDICT_HEADER, [verdict.cells() for verdict in self.verdicts()])
        return [Table(title, ("", "median (range)"), rows), bounds]

    def notes(self) -> list[str]:
        """What a reader must know."""
        return [self.machine.busy_note] if self.machine.is_busy else []
