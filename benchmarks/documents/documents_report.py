"""The figures as JSON and as tables."""

from collections.abc import Iterator
from typing import Literal

from benchmarks.documents.cost import CostOutcome
from benchmarks.documents.joined import JoinedOutcome
from benchmarks.documents.layouts import LayoutOutcome
from benchmarks.harness.measurement import Measurement
from benchmarks.harness.tables import Table


class DocumentsReport(Measurement):
    """What becomes of texts as people have them."""

    benchmark: Literal["documents"] = "documents"
    model: str
    to: str
    joined: tuple[JoinedOutcome, ...]
    layout: LayoutOutcome
    cost: CostOutcome | None

    def tables(self) -> Iterator[Table]:
        """Yields a table of documents by their size, and one of the rest."""
        yield Table(
            f"Documents of joined sentences, {self.model}, en-{self.to}",
            ("sentences", "in", "found", "the same", "empty", "BLEU", "BLEU alone", "share"),
            [
                (
                    str(each.size),
                    str(each.num_sentences),
                    f"{100 * each.num_found / each.num_sentences:.2f} %",
                    f"{100 * each.num_same / each.num_sentences:.2f} %",
                    str(each.num_empty),
                    f"{each.bleu:.1f}",
                    f"{each.bleu_alone:.1f}",
                    f"{each.bleu / each.bleu_alone:.3f}",
                )
                for each in self.joined
            ],
        )
        layout = self.layout
        rows = [
            ("texts with all blocks and breaks", f"{layout.num_kept} of {layout.num_texts}"),
            ("breaks, bullets and tabs kept", f"{layout.num_kept_marks} of {layout.num_marks}"),
        ]
        if self.cost is not None:
            rows.append(("throughput of plain sentences, over `raw`", f"{self.cost.throughput:.3f}"))
        yield Table("Layout and cost", ("what", "kept"), rows)

    def notes(self) -> list[str]:
        """Says how the cost was measured."""
        return ["Cost is the server's processor time, both ways in turns."] if self.cost is not None else []
