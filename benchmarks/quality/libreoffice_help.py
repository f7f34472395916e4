"""Help texts: English to German, French and Spanish, paragraphs of LibreOffice's help.

Reads DATA/libreoffice_help/dev.en-XX.{en,XX}.gz.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.quality import metrics
from benchmarks.quality.corpus import data_folder, read_lines
from benchmarks.quality.task import Part, Scorer, Task
from benchmarks.quality.translation import translations
from regard import Model

LANGUAGES = ("de", "fr", "es")


class LibreofficeHelp(Task):
    """The dev sets, whose pages are not in the training data."""

    name = "libreoffice_help"
    title = "Help texts (LibreOffice)"
    models = ("everyday",)
    num_beams = 4

    def parts(self, data: Path, model: Model, limit: int | None) -> Iterator[Part]:
        folder = data_folder(data, self.name)
        for language in LANGUAGES:
            if language in model.target_languages:
                sources = read_lines(folder / f"dev.en-{language}.en.gz", limit)
                references = read_lines(folder / f"dev.en-{language}.{language}.gz", limit)
                yield Part("dev", language, translations(sources, language, model.name), _scorer(references))


def _scorer(references: Sequence[str]) -> Scorer:
    def score(outputs: Sequence[str]) -> dict[str, float]:
        return {"bleu": metrics.bleu(outputs, references), "chrf": metrics.chrf(outputs, references)}

    return score
