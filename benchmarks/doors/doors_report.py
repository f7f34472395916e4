"""The cost of doors as JSON and as a table."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from benchmarks.doors.door_load import DoorResult, Way
from benchmarks.harness.measurement import Measurement
from benchmarks.harness.spread import Spread
from benchmarks.harness.tables import Table
from benchmarks.harness.verdict import VERDICT_HEADER, Verdict

MIN_RATIO = 0.9
_NAMES: Mapping[Way, str] = {
    "grpc": "gRPC",
    "json": "JSON API",
    "libretranslate": "LibreTranslate",
    "deepl": "DeepL",
    "open_inference": "Open Inference Protocol",
    "hugging_face": "Hugging Face",
}


class WayReport(BaseModel):
    """One API over all rounds; latencies and CPU times are medians.

    Attributes:
        ratio: throughput over gRPC's.
        cpu_ratio: the server's CPU time per request over gRPC's, which what else runs on the machine hardly changes.
    """

    model_config = ConfigDict(frozen=True)

    way: Way
    requests_per_s: Spread
    ratio: Spread
    cpu_ratio: Spread
    latency_p50_ms: float
    latency_p95_ms: float
    server_cpu_ms: float
    generator_cpu_ms: float

    @classmethod
    def of(cls, way: Way, results: Sequence[DoorResult], over_grpc: Sequence[DoorResult]) -> Self:
        """Summarizes the rounds; ratios compare measurements of the same round."""
        pairs = [*zip(results, over_grpc, strict=True)]
        return cls(
            way=way,
            requests_per_s=Spread.of([each.requests_per_s for each in results], 2),
            ratio=Spread.of([each.requests_per_s / other.requests_per_s for each, other in pairs]),
            cpu_ratio=Spread.of([each.server_cpu_ms / other.server_cpu_ms for each, other in pairs]),
            latency_p50_ms=round(median(each.latency_p50_ms for each in results), 2),
            latency_p95_ms=round(median(each.latency_p95_ms for each in results), 2),
            server_cpu_ms=round(median(each.server_cpu_ms for each in results), 3),
            generator_cpu_ms=round(median(each.generator_cpu_ms for each in results), 3),
        )


class DoorsReport(Measurement):
    """What doors cost."""

    benchmark: Literal["doors"] = "doors"
    num_clients: int
    ways: tuple[WayReport, ...]

    def tables(self) -> list[Table]:
        """The tables."""
        header = ("API", "requests/s", "of gRPC", "p50 ms", "p95 ms", "server CPU ms", "of gRPC", "generator CPU ms")
        rows = [
            (
                _NAMES[each.way],
                each.requests_per_s.text(".1f"),
                each.ratio.text(),
                f"{each.latency_p50_ms:.1f}",
                f"{each.latency_p95_ms:.1f}",
                f"{each.server_cpu_ms:.2f}",
                each.cpu_ratio.text(),
                f"{each.generator_cpu_ms:.2f}",
            )
            for each in self.ways
        ]
        return [
            Table(f"{self.num_clients} clients, one text of twelve words a request", header, rows),
            self._verdicts(),
        ]

    def _verdicts(self) -> Table:
        doors = [each for each in self.ways if each.way not in ("grpc", "json")]
        verdicts = [
            Verdict(
                f"throughput of {_NAMES[each.way]}'s door over gRPC's",
                f"{each.ratio.median:.2f}",
                f"at least {MIN_RATIO}",
                each.ratio.median >= MIN_RATIO,
            )
            for each in doors
        ]
        return Table("Bounds", VERDICT_HEADER, [each.cells() for each in verdicts])

    def notes(self) -> list[str]:
        """Remarks below the tables."""
        return [self.machine.busy_note] if self.machine.is_busy else []
