"""Descriptions of photographs: English to German and French, Multi30k (Elliott et al. 2016, 2017).

Reads DATA/multi30k/SPLIT.{en,XX}.gz and the data set's own tokenized form, tok/SPLIT.lc.norm.tok.XX.gz.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.quality import metrics, moses
from benchmarks.quality.corpus import data_folder, read_lines
from benchmarks.quality.task import Part, Task
from benchmarks.quality.translation import translations
from regard import Model

SPLITS = ("val", "test_2016_flickr")


class Multi30k(Task):
    """The sets that most publications score, on tokenized, lower-cased text with beam 5."""

    name = "multi30k"
    title = "Descriptions of photographs (Multi30k)"
    models = ("multi30k", "multi30k-bahdanau", "multi30k-luong")
    num_beams = 5

    def parts(self, data: Path, model: Model, limit: int | None) -> Iterator[Part]:
        folder = data_folder(data, self.name)
        for split in SPLITS:
            for language in moses.LANGUAGES:
                if language in model.target_languages:
                    yield self._part(folder, split, language, model, limit)

    def _part(self, folder: Path, split: str, language: str, model: Model, limit: int | None) -> Part:
        sources = read_lines(folder / f"{split}.en.gz", limit)
        references = read_lines(folder / f"{split}.{language}.gz", limit)
        tokenized = read_lines(folder / "tok" / f"{split}.lc.norm.tok.{language}.gz", limit)

        def score(outputs: Sequence[str]) -> dict[str, float]:
            return {
                "bleu": metrics.bleu(outputs, references),
                "bleu_lowercased": metrics.bleu(outputs, references, lowercase=True),
                "bleu_tokenized_lowercased": metrics.bleu_of_tokens(
                    [moses.tokenize(output.lower(), language) for output in outputs], tokenized
                ),
                "chrf": metrics.chrf(outputs, references),
            }

        return Part(split, language, translations(sources, language, model.name), score)
