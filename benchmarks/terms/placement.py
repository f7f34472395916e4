"""Whether terms are used, once, and in place of the model's own translation."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import regard
from benchmarks.quality.metrics import bleu
from benchmarks.terms.cutting import TermCase
from regard.calls.options import TranslateOptions

BATCH = 64


@dataclass(frozen=True)
class PlacementOutcome:
    """Sentences with terms.

    Attributes:
        num_used: terms that the output has, as whole words.
        num_doubled: of them those that it has more often than the reference.
        num_beside: terms beside what the model writes for their source without them.
        num_same: sentences without terms whose output is as before.
        bleu, bleu_plain: of the sentences with terms, and of the same without.
    """

    data: str
    num_beams: int
    num_sentences: int
    num_terms: int
    num_used: int
    num_doubled: int
    num_beside: int
    bleu: float
    bleu_plain: float


def measure_placement(
    client: regard.Client, data: str, cases: Sequence[TermCase], model: str, to: str, num_beams: int
) -> PlacementOutcome:
    """Translates each case with its terms and without."""
    sources = [case.source for case in cases]
    plain = _translated(client, sources, to, model=model, num_beams=num_beams, attention=True, words=True, timeout=600)
    steered = [
        client.translate(case.source, to, model=model, num_beams=num_beams, terms=case.terms, timeout=600)
        for case in cases
    ]
    used = doubled = beside = 0
    for case, without, result in zip(cases, plain, steered, strict=True):
        for source, target in case.terms:
            found, expected = _count(target, result.text), max(1, _count(target, case.reference))
            used += found > 0
            doubled += found > expected
            own = _own_translation(without, source)
            beside += (
                bool(own) and own.lower() != target.lower() and _count(own, result.text) > _count(own, case.reference)
            )
    references = [case.reference for case in cases]
    return PlacementOutcome(
        data,
        num_beams,
        len(cases),
        sum(len(case.terms) for case in cases),
        used,
        doubled,
        beside,
        bleu([result.text for result in steered], references),
        bleu([result.text for result in plain], references),
    )


def _translated(
    client: regard.Client, sources: Sequence[str], to: str, **options: Unpack[TranslateOptions]
) -> list[regard.Result]:
    results: list[regard.Result] = []
    for start in range(0, len(sources), BATCH):
        results += client.translate(list(sources[start : start + BATCH]), to, **options)
    return results


def _own_translation(result: regard.Result, source: str) -> str:
    """The word that a model writes for a word of its source; "" for none, or for several."""
    numbers = [number for number, word in enumerate(result.source_words) if word.text.strip(".,;:!?") == source]
    if len(numbers) != 1:
        return ""
    linked = [link.target for link in result.best.links if link.source == numbers[0]]
    if len(linked) != 1:
        return ""
    return result.best.words[linked[0]].text.strip(".,;:!?\"'„“()")


def _count(word: str, text: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)) if word else 0
