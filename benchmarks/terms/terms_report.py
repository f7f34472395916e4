"""The figures as JSON and as tables."""

from collections.abc import Iterator
from typing import Literal

from benchmarks.harness.measurement import Measurement
from benchmarks.harness.tables import Table
from benchmarks.terms.placement import PlacementOutcome
from benchmarks.terms.throughput import ThroughputOutcome


class TermsReport(Measurement):
    """What becomes of terms."""

    benchmark: Literal["terms"] = "terms"
    model: str
    placements: tuple[PlacementOutcome, ...]
    throughputs: tuple[ThroughputOutcome, ...]

    def tables(self) -> Iterator[Table]:
        """Yields a table of the terms' use, and one of their cost."""
        yield Table(
            f"Terms cut from references, {self.model}",
            (
                "data",
                "beams",
                "sentences",
                "terms",
                "copied",
                "used",
                "twice",
                "beside its own",
                "BLEU",
                "without terms",
                "gain",
            ),
            [
                (
                    each.data,
                    str(each.num_beams),
                    str(each.num_sentences),
                    str(each.num_terms),
                    str(each.num_left_out),
                    f"{100 * each.num_used / each.num_terms:.2f} %",
                    f"{100 * each.num_doubled / each.num_terms:.2f} %",
                    f"{100 * each.num_beside / each.num_terms:.2f} %",
                    f"{each.bleu:.1f}",
                    f"{each.bleu_plain:.1f}",
                    f"{each.bleu - each.bleu_plain:+.1f}",
                )
                for each in self.placements
            ],
        )
        yield Table(
            "Throughput with 3 terms in a quarter of the rows, over none",
            ("beams", "requests", "share"),
            [(str(each.num_beams), str(each.num_requests), f"{each.share:.3f}") for each in self.throughputs],
        )

    def notes(self) -> list[str]:
        """Says what is counted."""
        return [
            "Copied: beside these terms, those that stand within code and the like, of which the server warns.",
            "Twice: more often than in the reference and in the output without terms.",
            "Beside its own: the output also has the word that the model writes for the term's source without the term,"
            " linked with it, and the reference has it less often.",
        ]
