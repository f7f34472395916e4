"""Metrics of sacreBLEU (Post 2018) and, for summaries, rouge-score."""

import re
from collections.abc import Sequence
from statistics import fmean
from typing import cast

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

# Name in the results -> heading in tables.
METRICS = {
    "bleu": "BLEU",
    "bleu_all_references": "BLEU, all references",
    "bleu_lowercased": "BLEU lower-cased",
    "bleu_tokenized_lowercased": "BLEU tokenized lower-cased",
    "chrf": "chrF",
    "chrf_no_mark": "chrF, no final mark",
    "chrf_capitals": "chrF, capitals",
    "chrf_paragraph": "chrF, paragraph",
    "worst_variant": "worst / as is",
    "worst_variant_raw": "the same, raw",
    "right": "right, %",
    "aer": "AER",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "bleu1": "BLEU-1",
    "bleu2": "BLEU-2",
    "bleu3": "BLEU-3",
    "bleu4": "BLEU-4",
}
SHARES = frozenset({"worst_variant", "worst_variant_raw", "aer"})  # the others are percentages
ROUGE = ("rouge1", "rouge2", "rougeL")

# Removed from captions; hyphens and apostrophes are parts of words.
_PUNCTUATION = re.compile(r"[^\w\s'-]")

References = Sequence[Sequence[str]]


def bleu(outputs: Sequence[str], references: Sequence[str], *, lowercase: bool = False) -> float:
    """BLEU of plain text with sacreBLEU's tokenizer "13a"; case counts unless `lowercase`."""
    return _bleu(outputs, [references], lowercase=lowercase)


def bleu_of_tokens(outputs: Sequence[str], references: Sequence[str]) -> float:
    """BLEU of tokenized, lower-cased text, as most published figures on Multi30k count it."""
    return _bleu(outputs, [references], tokenize="none")


def bleu_of_all(outputs: Sequence[str], references: References) -> float:
    """BLEU with one or more references per output."""
    most = max(len(each) for each in references)
    streams = [[each[number] if number < len(each) else None for each in references] for number in range(most)]
    return _bleu(outputs, streams)


def caption_bleu(outputs: Sequence[str], references: References) -> dict[str, float]:
    """BLEU-1 to BLEU-4 of captions, lower-cased and without punctuation, as publications count them.

    Args:
        references: the same number of references for each output.
    """
    plain = [_PUNCTUATION.sub(" ", output) for output in outputs]
    streams = [[_PUNCTUATION.sub(" ", text) for text in stream] for stream in zip(*references, strict=True)]
    scores = {}
    for order in range(1, 5):
        scorer = sacrebleu.BLEU(lowercase=True, tokenize="13a", force=True, max_ngram_order=order)
        scores[f"bleu{order}"] = round(float(scorer.corpus_score(plain, streams).score), 2)
    return scores


def rouge(outputs: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """ROUGE-1, -2 and -L (Lin 2004): mean F-measures in per cent, lower-cased, without stemming."""
    scorer = RougeScorer(list(ROUGE))
    pairs = zip(references, outputs, strict=True)
    scores = [scorer.score(reference, output) for reference, output in pairs]
    return {name: round(100 * fmean(score[name].fmeasure for score in scores), 2) for name in ROUGE}


def chrf(outputs: Sequence[str], references: Sequence[str]) -> float:
    """chrF2 (Popović 2015): the F-score of character n-grams."""
    return round(float(sacrebleu.corpus_chrf(list(outputs), [list(references)]).score), 2)


def _bleu(
    outputs: Sequence[str],
    streams: Sequence[Sequence[str | None]],
    *,
    lowercase: bool = False,
    tokenize: str = "13a",
) -> float:
    references = cast(list[list[str]], [list(stream) for stream in streams])  # sacreBLEU's types omit None
    score = sacrebleu.corpus_bleu(list(outputs), references, lowercase=lowercase, tokenize=tokenize, force=True)
    return round(float(score.score), 2)
