"""By what a task's outputs are judged, and how much of it a precision may lose.

The libraries that score are imported when there is something to score: they take tens of megabytes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from regard_service.bundle import Task

References = Sequence[Sequence[str]]
"""One or more an output."""


@dataclass(frozen=True)
class Metric:
    """Attributes: `max_drop`, in points, is what a precision may lose against float32."""

    name: str
    score: Callable[[Sequence[str], References], float]
    max_drop: float


def bleu(outputs: Sequence[str], references: References) -> float:
    """SacreBLEU of cased text (Papineni et al. 2002; Post 2018)."""
    import sacrebleu

    return sacrebleu.corpus_bleu(list(outputs), _by_position(references)).score


def caption_bleu(outputs: Sequence[str], references: References) -> float:
    """BLEU-4 of lower-cased words, against all of a picture's captions."""
    from regard_models.recipes import captioner_scores

    return captioner_scores.bleu(outputs, references)["bleu4"]


def rouge_l(outputs: Sequence[str], references: References) -> float:
    """ROUGE-L of lower-cased text, against the first reference (Lin 2004)."""
    from regard_models.recipes.rouge import rouge

    return rouge(outputs, [first for first, *_ in references])["rougeL"]


def _by_position(references: References) -> list[list[str]]:
    """First references, second references and so on, as sacreBLEU wants them."""
    return [list(column) for column in zip(*references, strict=True)]


METRICS: dict[Task, Metric] = {
    "translation": Metric("BLEU", bleu, max_drop=0.3),
    "captioning": Metric("BLEU-4", caption_bleu, max_drop=0.3),
    "summarization": Metric("ROUGE-L", rouge_l, max_drop=0.3),
}
