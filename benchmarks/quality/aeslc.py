"""E-mails and their subjects: AESLC (Zhang and Tetreault 2019). Reads DATA/aeslc/dev.jsonl.gz."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.quality.corpus import data_folder
from benchmarks.quality.summaries import summaries_part
from benchmarks.quality.task import Part, Task
from regard import Model


class Aeslc(Task):
    """Scores against the sender's own subject line, as most publications do."""

    name = "aeslc"
    title = "Subjects of e-mails (AESLC)"
    models = ("headlines",)
    num_beams = 4

    def parts(self, data: Path, model: Model, limit: int | None) -> Iterator[Part]:
        folder = data_folder(data, self.name)
        if "subject" in model.styles:
            yield summaries_part(folder / "dev.jsonl.gz", "subject", "subject", model, limit)
