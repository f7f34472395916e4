"""The metrics, all by sacreBLEU (Post 2018)."""

from collections.abc import Sequence
from typing import cast

import sacrebleu

# Name in the results -> heading in tables.
METRICS = {
    "bleu": "BLEU",
    "bleu_all_references": "BLEU, all references",
    "bleu_lowercased": "BLEU lower-cased",
    "bleu_tokenized_lowercased": "BLEU tokenized lower-cased",
    "chrf": "chrF",
}

References = Sequence[Sequence[str]]


def bleu(outputs: Sequence[str], references: Sequence[str], *, lowercase: bool = False) -> float:
    """BLEU of plain text: cased unless told otherwise, tokenized by sacreBLEU's "13a"."""
    return _bleu(outputs, [references], lowercase=lowercase)


def bleu_of_tokens(outputs: Sequence[str], references: Sequence[str]) -> float:
    """BLEU of text that is tokenized and lower-cased already, as the scripts behind most published figures count it."""
    return _bleu(outputs, [references], tokenize="none")


def bleu_of_all(outputs: Sequence[str], references: References) -> float:
    """BLEU with one reference or more for each output."""
    most = max(len(each) for each in references)
    streams = [[each[number] if number < len(each) else None for each in references] for number in range(most)]
    return _bleu(outputs, streams)


def chrf(outputs: Sequence[str], references: Sequence[str]) -> float:
    """chrF2 (Popović 2015): how many character n-grams agree."""
    return round(float(sacrebleu.corpus_chrf(list(outputs), [list(references)]).score), 2)


def _bleu(
    outputs: Sequence[str],
    streams: Sequence[Sequence[str | None]],
    *,
    lowercase: bool = False,
    tokenize: str = "13a",
) -> float:
    references = cast(list[list[str]], [list(stream) for stream in streams])  # its types know no None, which it skips
    score = sacrebleu.corpus_bleu(list(outputs), references, lowercase=lowercase, tokenize=tokenize, force=True)
    return round(float(score.score), 2)
