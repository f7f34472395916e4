"""The cost of an export as JSON and as tables."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.measurement import Measurement
from benchmarks.harness.tables import Table

MEGA = 1_000_000


class StageCost(BaseModel):
    """The cost of one stage of an export.

    Attributes:
        peak_bytes: peak of resident memory, including mapped files.
    """

    model_config = ConfigDict(frozen=True)

    title: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int


class ExportReport(Measurement):
    """One export to int8, and the size of float32's bundle.

    Attributes:
        checkpoint_bytes: size of the checkpoint's weights.
        bundle_bytes: size of the graphs with their weights, by precision.
    """

    benchmark: Literal["export"] = "export"
    checkpoint_bytes: int
    stages: tuple[StageCost, ...]
    bundle_bytes: dict[str, int]

    def tables(self) -> Iterator[Table]:
        """One table with the stages."""
        rows = [
            (s.title, f"{s.seconds:.1f}", f"{s.cpu_seconds:.1f}", f"{s.peak_bytes / MEGA:.0f}") for s in self.stages
        ]
        total = sum(s.seconds for s in self.stages), sum(s.cpu_seconds for s in self.stages)
        rows.append(("all", f"{total[0]:.1f}", f"{total[1]:.1f}", f"{self._peak / MEGA:.0f}"))
        yield Table("Export to int8 with verification", ("stage", "s", "CPU s", "peak MB"), rows)

    @property
    def _peak(self) -> int:
        return max(s.peak_bytes for s in self.stages)

    def notes(self) -> Iterator[str]:
        """Sizes, and whether other work ran."""
        yield f"Weights of the checkpoint: {self.checkpoint_bytes / MEGA:.0f} MB."
        yield f"Peak of resident memory: {self._peak / self.checkpoint_bytes:.2f} times these weights."
        sizes = self.bundle_bytes
        yield (
            f"Graphs with weights: int8 {sizes['int8'] / MEGA:.0f} MB, float32 {sizes['float32'] / MEGA:.0f} MB; "
            f"int8 has {sizes['int8'] / sizes['float32']:.1%} of float32's size and "
            f"{sizes['int8'] / self.checkpoint_bytes:.1%} of the checkpoint's."
        )
        if self.machine.is_busy:
            yield self.machine.busy_note
