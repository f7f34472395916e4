"""What the quality benchmark found, as JSON and as tables."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.measurement import Measurement
from benchmarks.harness.served_model import ServedModel
from benchmarks.harness.tables import Table
from benchmarks.quality.metrics import METRICS


class Score(BaseModel):
    """The figures of one model on one part of a data set.

    Attributes:
        title: heading of the task's table.
        variant: target language or style; "" where there is but one.
        metrics: by the names of `metrics.METRICS`.
        seconds: from the first call to the last answer, with many calls in flight.
    """

    model_config = ConfigDict(frozen=True)

    task: str
    title: str
    split: str
    variant: str
    model: ServedModel
    num_beams: int
    num_inputs: int
    metrics: dict[str, float]
    seconds: float


class QualityReport(Measurement):
    """All of it.

    Attributes:
        left_out: what was not measured, and why.
    """

    benchmark: Literal["quality"] = "quality"
    sacrebleu: str
    scores: tuple[Score, ...]
    left_out: tuple[str, ...]

    def tables(self) -> Iterator[Table]:
        """Yields a table a task."""
        for task in dict.fromkeys(score.task for score in self.scores):
            yield _table([score for score in self.scores if score.task == task])

    def notes(self) -> list[str]:
        return [f"Left out: {reason}." for reason in self.left_out]


def _table(scores: list[Score]) -> Table:
    names = [name for name in METRICS if any(name in score.metrics for score in scores)]
    header = ["model", "set", "variant", "beams", "inputs", *(METRICS[name] for name in names)]
    rows = [
        [
            f"{score.model.name} {score.model.version} ({score.model.precision})",
            score.split,
            score.variant,
            str(score.num_beams),
            f"{score.num_inputs:,}",
            *(f"{score.metrics[name]:.1f}" if name in score.metrics else "" for name in names),
        ]
        for score in scores
    ]
    return Table(scores[0].title, header, rows)
