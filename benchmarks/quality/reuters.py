"""News stories and their headlines: Reuters-21578, Distribution 1.0. Reads DATA/reuters21578_headlines/dev.jsonl.gz."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.quality.corpus import data_folder
from benchmarks.quality.summaries import summaries_part
from benchmarks.quality.task import Part, Task
from regard import Model


class Reuters(Task):
    """Stories of many kinds, including tables of figures with formulaic headlines."""

    name = "reuters21578_headlines"
    title = "Headlines of news stories (Reuters-21578)"
    models = ("headlines",)
    num_beams = 4

    def parts(self, data: Path, model: Model, limit: int | None) -> Iterator[Part]:
        folder = data_folder(data, self.name)
        if "headline" in model.styles:
            yield summaries_part(folder / "dev.jsonl.gz", "headline", "headline", model, limit)
