"""Plain inputs: what a stranger types first, 200 sentences of this project in forty paragraphs of five.

Each is translated as it is, without its final mark, in capitals, and among the others of its paragraph; and all of it
again with `raw`, where the service neither cuts texts into sentences nor normalizes them. A model that does plain
things right scores nearly the same in all. Needs no data set.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.quality import metrics
from benchmarks.quality.task import Part, Task
from benchmarks.quality.translation import translations
from regard import Model

LANGUAGES = ("de", "fr", "es")
INPUTS = Path(__file__).parent / "inputs" / "plain.tsv"
PARAGRAPH = 5  # sentences

_MARKS = ".!?"
_OPENING = {"?": "¿", "!": "¡", ".": ""}


class Plain(Task):
    """chrF of each variant, and that of the worst over that of the sentences as they are."""

    name = "plain"
    title = "Plain inputs (as is, without the final mark, in capitals, in a paragraph)"
    models = ("everyday",)
    num_beams = 4

    def parts(self, data: Path, model: Model, limit: int | None) -> Iterator[Part]:
        columns = list(zip(*(line.split("\t") for line in read_inputs(limit)), strict=True))
        for number, language in enumerate(LANGUAGES, 1):
            if language in model.target_languages:
                yield self._part(columns[0], columns[number], language, model)

    def _part(self, sources: Sequence[str], references: Sequence[str], language: str, model: Model) -> Part:
        texts = [text for each in _variants(sources).values() for text in each]
        expected = _variants(references)

        def score(outputs: Sequence[str]) -> dict[str, float]:
            scores, raw = _scores(outputs[: len(texts)], expected), _scores(outputs[len(texts) :], expected)
            return {**scores, "worst_variant_raw": _worst(raw), "worst_variant": _worst(scores)}

        calls = [
            *translations(texts, language, model.name),
            *translations(texts, language, model.name, raw=True),
        ]
        return Part("own", language, calls, score)


def _scores(outputs: Sequence[str], expected: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """chrF of each variant; the outputs are in the order of the variants."""
    scores, first = {}, 0
    for name, references in expected.items():
        scores[name] = metrics.chrf(outputs[first : first + len(references)], references)
        first += len(references)
    return scores


def _worst(scores: Mapping[str, float]) -> float:
    """The worst variant's share of the score of the sentences as they are."""
    return round(min(scores.values()) / max(scores["chrf"], 1e-9), 3)


def read_inputs(limit: int | None = None) -> list[str]:
    """The lines of `inputs/plain.tsv`: English, German, French, Spanish, with tabs between them."""
    return INPUTS.read_text(encoding="utf-8").splitlines()[:limit]


def _variants(texts: Sequence[str]) -> dict[str, list[str]]:
    """The texts in each variant, by the names of `metrics.METRICS`."""
    paragraphs = [" ".join(texts[first : first + PARAGRAPH]) for first in range(0, len(texts), PARAGRAPH)]
    return {
        "chrf": list(texts),
        "chrf_no_mark": [without_final_mark(text) for text in texts],
        "chrf_capitals": [text.upper() for text in texts],
        "chrf_paragraph": paragraphs,
    }


def without_final_mark(text: str) -> str:
    """The text without its final mark, and in Spanish without the one that opens its last sentence."""
    mark = text[-1:]
    if mark not in _MARKS:
        return text
    opening = text.rfind(_OPENING[mark]) if _OPENING[mark] else -1
    shorter = text[:-1].rstrip()
    return shorter if opening < 0 else shorter[:opening] + shorter[opening + 1 :]
