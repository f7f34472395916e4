"""The comparison of mechanisms as JSON and as tables."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.measurement import Measurement
from benchmarks.harness.tables import Table
from benchmarks.mechanisms.alignments import Attending
from benchmarks.quality.quality_report import Score


class Mechanism(BaseModel):
    """One model's figures.

    Attributes:
        attention: description of the mechanism.
        score: score on the test set, with many calls in flight.
        attending: measurements of single calls.
    """

    model_config = ConfigDict(frozen=True)

    attention: str
    score: Score
    attending: Attending


class MechanismsReport(Measurement):
    """The figures of all models.

    Attributes:
        left_out: models that were not measured, each with the reason.
    """

    benchmark: Literal["mechanisms"] = "mechanisms"
    mechanisms: tuple[Mechanism, ...]
    left_out: tuple[str, ...]

    def tables(self) -> Iterator[Table]:
        """Outputs and alignments; no table without measured models."""
        if self.mechanisms:
            score = self.mechanisms[0].score
            yield self._outputs(
                f"{score.title}: {score.split}, {score.num_beams} beams, {score.num_inputs:,} sentences"
            )
            num_sentences = self.mechanisms[0].attending.num_sentences
            yield self._attention(f"One sentence at a time, greedy, the first {num_sentences:,} sentences")

    def _outputs(self, title: str) -> Table:
        header = ["model", "MB", "attention", "BLEU", "BLEU tokenized lower-cased", "sentences/s"]
        rows = [
            [
                f"{each.score.model.name} {each.score.model.version} ({each.score.model.precision})",
                f"{each.score.model.size_mb:.1f}",
                each.attention,
                f"{each.score.metrics['bleu']:.1f}",
                f"{each.score.metrics['bleu_tokenized_lowercased']:.1f}",
                f"{each.score.num_inputs / each.score.seconds:.0f}",
            ]
            for each in self.mechanisms
        ]
        return Table(title, header, rows)

    def _attention(self, title: str) -> Table:
        header = ["model", "p50 ms", "decode ms a token", "entropy, nats", "entropy over its maximum", "largest weight"]
        rows = [
            [
                each.score.model.name,
                f"{each.attending.p50_ms:.1f}",
                f"{each.attending.token_ms:.2f}",
                f"{each.attending.entropy:.2f}",
                f"{each.attending.entropy_share:.2f}",
                f"{each.attending.peak:.2f}",
            ]
            for each in self.mechanisms
        ]
        return Table(title, header, rows)

    def notes(self) -> list[str]:
        """What was left out, and whether other work ran."""
        notes = [f"Left out: {reason}." for reason in self.left_out]
        if self.machine.is_busy:
            notes.append(self.machine.busy_note)
        return notes
