"""Everyday sentences: English to German, French and Spanish, dev sentences of Tatoeba.

Reads DATA/tatoeba/en-XX/dev.{en,XX}.gz, and dev.XX.alt.gz with further, tab-separated references.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.quality import metrics
from benchmarks.quality.corpus import data_folder, read_lines
from benchmarks.quality.task import Part, Task
from benchmarks.quality.translation import translations
from regard import Model

LANGUAGES = ("de", "fr", "es")


class Tatoeba(Task):
    """The dev sets, with one reference per sentence and further ones for some sentences."""

    name = "tatoeba"
    title = "Everyday sentences (Tatoeba)"
    models = ("everyday",)
    num_beams = 4

    def parts(self, data: Path, model: Model, limit: int | None) -> Iterator[Part]:
        folder = data_folder(data, self.name)
        for language in LANGUAGES:
            if language in model.target_languages:
                yield self._part(folder / f"en-{language}", language, model, limit)

    def _part(self, folder: Path, language: str, model: Model, limit: int | None) -> Part:
        sources = read_lines(folder / "dev.en.gz", limit)
        references = read_lines(folder / f"dev.{language}.gz", limit)
        others = read_lines(folder / f"dev.{language}.alt.gz", limit)
        every = [[first, *filter(None, more.split("\t"))] for first, more in zip(references, others, strict=True)]

        def score(outputs: Sequence[str]) -> dict[str, float]:
            return {
                "bleu": metrics.bleu(outputs, references),
                "bleu_all_references": metrics.bleu_of_all(outputs, every),
                "chrf": metrics.chrf(outputs, references),
            }

        return Part("dev", language, translations(sources, language, model.name), score)
