"""Whether terms are used, once, and in place of the model's own translation."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import regard
from benchmarks.quality.metrics import bleu
from benchmarks.terms.cutting import MIN_LETTERS, TermCase

BATCH = 64
_MARKS = ".,;:!?\"'„“()"


@dataclass(frozen=True)
class PlacementOutcome:
    """Sentences with terms.

    Attributes:
        num_left_out: terms within code and the like, which is copied, and said in a warning; not among `num_terms`.
        num_used: terms that the output has, as whole words.
        num_doubled: of them those that it has more often than the reference and than the output without terms.
        num_beside: terms beside the word that the model writes for their source without them, where the alignment links
            it with that source here too, and the reference has it less often.
        bleu, bleu_plain: of the sentences with terms, and of the same without.
    """

    data: str
    num_beams: int
    num_sentences: int
    num_terms: int
    num_left_out: int
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
    plain = list(_plain(client, sources, to, model, num_beams))
    steered = [
        client.translate(
            case.source, to, model=model, num_beams=num_beams, terms=case.terms, attention=True, words=True, timeout=600
        )
        for case in cases
    ]
    used = doubled = beside = left_out = 0
    for case, without, result in zip(cases, plain, steered, strict=True):
        for source, target in case.terms:
            if not _count(target, result.text) and _is_left_out(source, result):
                left_out += 1
                continue
            found = _count(target, result.text)
            used += found > 0
            doubled += found > max(1, _count(target, case.reference), _count(target, without.text))
            own = _own_translation(without, source)
            is_beside = own.lower() in {word.lower() for word in _linked(result, source)} - {"", target.lower()}
            beside += is_beside and _count(own, result.text) > _count(own, case.reference)
    references = [case.reference for case in cases]
    return PlacementOutcome(
        data,
        num_beams,
        len(cases),
        sum(len(case.terms) for case in cases) - left_out,
        left_out,
        used,
        doubled,
        beside,
        bleu([result.text for result in steered], references),
        bleu([result.text for result in plain], references),
    )


def _plain(
    client: regard.Client, sources: Sequence[str], to: str, model: str, num_beams: int
) -> Iterator[regard.Result]:
    """Yields the translations without terms."""
    for start in range(0, len(sources), BATCH):
        batch = list(sources[start : start + BATCH])
        yield from client.translate(
            batch, to, model=model, num_beams=num_beams, attention=True, words=True, timeout=600
        )


def _is_left_out(source: str, result: regard.Result) -> bool:
    """Whether the server says that it could not use a term, or the whole sentence is copied."""
    is_copied = all(segment.copied for segment in result.segments)
    return is_copied or any(w.reason == "term_left_out" and repr(source) in w.message for w in result.warnings)


def _own_translation(result: regard.Result, source: str) -> str:
    """The word that a model writes for a word of its source; "" for none, or for several."""
    linked = _linked(result, source)
    return linked[0] if len(linked) == 1 and len(linked[0]) >= MIN_LETTERS else ""


def _linked(result: regard.Result, source: str) -> list[str]:
    """The words of the output that the alignment links with a word of the source, which occurs once."""
    numbers = [number for number, word in enumerate(result.source_words) if word.text.strip(_MARKS) == source]
    return [
        result.best.words[link.target].text.strip(_MARKS)
        for link in result.best.links
        if len(numbers) == 1 and link.source == numbers[0]
    ]


def _count(word: str, text: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)) if word else 0
