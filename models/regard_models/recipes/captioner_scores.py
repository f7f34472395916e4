"""Scores captions by BLEU-1 to BLEU-4 against all human captions of an image."""

import re
from collections.abc import Sequence

from sacrebleu.metrics.bleu import BLEU


def normalize(caption: str) -> str:
    """Lower-cased, tokenized, without punctuation, as is usual for captions (Chen et al. 2015, section 3.1)."""
    words = re.sub(r"[^\w\s'-]", " ", caption.lower())
    return " ".join(re.sub(r"('s|n't)\b", r" \1", words).split())


def bleu(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """sacreBLEU's corpus BLEU of normalized captions, from 0 to 100 (Papineni et al. 2002).

    Args:
        references: the same number of references for each output.
    """
    hypotheses = [normalize(output) for output in outputs]
    columns = [[normalize(reference) for reference in column] for column in zip(*references, strict=True)]
    return {
        f"bleu{order}": round(BLEU(max_ngram_order=order, tokenize="none").corpus_score(hypotheses, columns).score, 2)
        for order in (1, 2, 3, 4)
    }
