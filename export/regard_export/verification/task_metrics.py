"""The metric of each task, and how much of it a precision may lose.

The libraries of the metrics take tens of megabytes, so they are imported when a metric is computed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from regard_service.bundle import Task

References = Sequence[Sequence[str]]
"""One or more per output."""


@dataclass(frozen=True)
class TaskMetric:
    """The metric of a task.

    Attributes:
        max_drop: points that a precision may lose against float32.
    """

    name: str
    score: Callable[[Sequence[str], References], float]
    max_drop: float


def bleu(outputs: Sequence[str], references: References) -> float:
    """SacreBLEU of cased text (Papineni et al. 2002; Post 2018)."""
    import sacrebleu

    return sacrebleu.corpus_bleu(list(outputs), _by_position(references)).score


def caption_bleu(outputs: Sequence[str], references: References) -> float:
    """BLEU-4 of lower-cased words, against all captions of a picture."""
    from regard_models.recipes import captioner_scores

    return captioner_scores.bleu(outputs, references)["bleu4"]


def rouge_l(outputs: Sequence[str], references: References) -> float:
    """ROUGE-L of lower-cased text, against the first reference (Lin 2004)."""
    from regard_models.recipes.rouge import rouge

    return rouge(outputs, [first for first, *_ in references])["rougeL"]


def _by_position(references: References) -> list[list[str]]:
    """First references, second references and so on, as sacreBLEU expects them."""
    return [list(column) for column in zip(*references, strict=True)]


TASK_METRICS: dict[Task, TaskMetric] = {
    "translation": TaskMetric("BLEU", bleu, max_drop=0.3),
    "captioning": TaskMetric("BLEU-4", caption_bleu, max_drop=0.3),
    "summarization": TaskMetric("ROUGE-L", rouge_l, max_drop=0.3),
}
