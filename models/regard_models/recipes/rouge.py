"""Scores summaries by ROUGE (Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries")."""

from collections.abc import Sequence

from rouge_score.rouge_scorer import RougeScorer

KINDS = ("rouge1", "rouge2", "rougeL")


def rouge(outputs: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Mean F-measures in per cent, by kind; lower-cased, without stemming, with one reference per output."""
    scorer = RougeScorer(KINDS)
    scores = [scorer.score(reference, output) for output, reference in zip(outputs, references, strict=True)]
    return {kind: 100 * sum(score[kind].fmeasure for score in scores) / len(scores) for kind in KINDS}
