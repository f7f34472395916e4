"""The scores as JSON and as tables."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.measurement import Measurement
from benchmarks.harness.served_model import ServedModel
from benchmarks.harness.tables import Table
from benchmarks.quality.metrics import METRICS, SHARES


class Score(BaseModel):
    """The figures of one model on one part of a data set.

    Attributes:
        title: heading of the task's table.
        variant: target language or style; "" if there is only one.
        metrics: figures by the names of `metrics.METRICS`.
        seconds: time from the first call to the last answer, with many calls in flight.
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
    """The scores of all models.

    Attributes:
        sacrebleu: sacreBLEU's signature.
        left_out: models and data sets that were not measured, each with the reason.
    """

    benchmark: Literal["quality"] = "quality"
    sacrebleu: str
    scores: tuple[Score, ...]
    left_out: tuple[str, ...]

    def tables(self) -> Iterator[Table]:
        """Yields one table per task."""
        for task in dict.fromkeys(score.task for score in self.scores):
            yield _table([score for score in self.scores if score.task == task])

    def notes(self) -> list[str]:
        """What was left out."""
        return [f"Left out: {reason}." for reason in self.left_out]


def _written(name: str, figure: float) -> str:
    """Shares of one have a decimal more than percentages."""
    return f"{figure:.3f}" if name in SHARES else f"{figure:.1f}"


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
            *(_written(name, score.metrics[name]) if name in score.metrics else "" for name in names),
        ]
        for score in scores
    ]
    return Table(scores[0].title, header, rows)
