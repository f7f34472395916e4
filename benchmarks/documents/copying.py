"""`python -m benchmarks.documents.copying --data DIR`: what must be copied, through a server, and other ways to do it.

Each way translates the same sentences. "raw" and the other ways but "served" send texts with the option `raw`, and do
by themselves what they do about the parts: so they compare on one model, with one search.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import sacrebleu

from benchmarks.documents.copying_cases import Case, cases
from regard import Client, Result, Token
from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.protection.numerals import marks_of, value
from regard_service.passages.protection.options import ProtectionOptions
from regard_service.passages.protection.protect import ProtectedText, protect

_NUMBER = re.compile("[0-9](?:[0-9.,:’' \u00a0\u202f-]*[0-9])?")
_BATCH = 32


@dataclass(frozen=True)
class Score:
    """How much of what must be copied was: shares of all parts, and BLEU where there are references.

    Attributes:
        verbatim: generated and real parts that came out verbatim, and as often as in the source.
        by_value: numbers that came out once, with their value.
        bleu: of the sentences with references; None without.
    """

    num_parts: int
    verbatim: float
    num_numbers: int
    by_value: float
    bleu: float | None


def score(tried: Sequence[Case], outputs: Sequence[str], language: str) -> Score:
    """Scores translations."""
    verbatim, numbers = [], []
    for case, output in zip(tried, outputs, strict=True):
        if case.kind == "numbers":
            numbers += [_count_value(part, output, language) == 1 for part in case.spans]
        else:
            verbatim += [output.count(part) == case.source.count(part) for part in case.spans]
    pairs = [(o, c.reference) for c, o in zip(tried, outputs, strict=True) if c.reference is not None]
    hypotheses, references = [o for o, _ in pairs], [r for _, r in pairs]
    bleu = sacrebleu.corpus_bleu(hypotheses, [references]).score if pairs else None
    return Score(len(verbatim), _mean(verbatim), len(numbers), _mean(numbers), bleu)


def _mean(values: Sequence[bool]) -> float:
    return float(np.mean(values)) if values else 1.0


def _count_value(part: str, output: str, language: str) -> int:
    """Returns how often a translation holds a number, in the form of either language."""
    bare = _first(part)
    number = value(bare, marks_of("en"))
    found = [match[0] for match in _NUMBER.finditer(output)]
    return sum(each == bare or (number is not None and value(each, marks_of(language)) == number) for each in found)


def _first(text: str) -> str:
    match = _NUMBER.search(text)
    return match[0] if match else text


Translate = Callable[[Sequence[str], bool], list[Result]]
"""Translates texts; raw, with the alignment, or as a server does by default."""
Way = Callable[[Sequence[Case], str, Translate], list[str]]


def _served(tried: Sequence[Case], _: str, translate: Translate) -> list[str]:
    return [result.text for result in translate([case.source for case in tried], False)]


def _raw(tried: Sequence[Case], _: str, translate: Translate) -> list[str]:
    return [result.text for result in translate([case.source for case in tried], True)]


def _protecting(*, weights: bool = True, **changes: Any) -> Way:
    """Returns the way of protection with other options."""

    def way(tried: Sequence[Case], language: str, translate: Translate) -> list[str]:
        protected = [protect(case.source, ProtectionOptions("en", language, **changes)) for case in tried]
        results = iter(translate([each.edited.text for each in protected if not each.is_all_copied], True))
        return [
            case.source if each.is_all_copied else each.restore(_aligned(each, next(results), weights)).target
            for case, each in zip(tried, protected, strict=True)
        ]

    return way


def _aligned(protected: ProtectedText, result: Result, weights: bool) -> AlignedText:
    alignment = result.alignment if weights else None
    values = None if alignment is None else np.asarray(alignment.values, np.float32)
    spans = _spans(result.source_tokens), _spans(result.best.tokens)
    return AlignedText(protected.edited.text, result.text, *spans, values)


def _spans(tokens: Sequence[Token]) -> tuple[Span | None, ...]:
    return tuple(None if token.span is None else Span(token.span.start, token.span.end) for token in tokens)


WAYS: dict[str, Way] = {
    "raw": _raw,
    "left in, repaired": _protecting(carry="itself"),
    "taken out, inserted": _protecting(carry="nothing"),
    "stand-ins, no weights": _protecting(weights=False),
    "stand-ins, numbers left in": _protecting(replaces_numbers=False),
    "stand-ins": _protecting(),
    "served": _served,
}


def translations(client: Client, model: str, language: str, num_beams: int) -> Translate:
    """Returns the calls to a server."""

    def translate(texts: Sequence[str], raw: bool) -> list[Result]:
        results = []
        for start in range(0, len(texts), _BATCH):
            batch = list(texts[start : start + _BATCH])
            attention: Any = "alignment" if raw else None
            results += client.translate(
                batch, to=language, model=model, num_beams=num_beams, attention=attention, raw=raw
            )
        return results

    return translate


@click.command(context_settings={"show_default": True})
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--server", metavar="HOST:PORT", required=True)
@click.option("--model", default="everyday")
@click.option("--to", "languages", multiple=True, default=("de", "fr", "es"))
@click.option("--beams", default=4)
@click.option("--cases", "num_cases", default=500, help="Generated sentences of each kind.")
@click.option("--seed", default=7)
@click.option("--ways", type=click.Choice(list(WAYS)), multiple=True, default=tuple(WAYS))
def main(
    data: Path,
    server: str,
    model: str,
    languages: Sequence[str],
    beams: int,
    num_cases: int,
    seed: int,
    ways: Sequence[str],
) -> None:
    """Prints a row for each language and way."""
    with Client(server) as client:
        for language in languages:
            tried = cases(data, language, num_cases, seed)
            for way in ways:
                outputs = WAYS[way](tried, language, translations(client, model, language, beams))
                print(_row(language, way, score(tried, outputs, language)))


def _row(language: str, way: str, scored: Score) -> str:
    bleu = "" if scored.bleu is None else f"{scored.bleu:.1f}"
    verbatim, numbers = f"{scored.verbatim:.1%} of {scored.num_parts}", f"{scored.by_value:.1%} of {scored.num_numbers}"
    return f"| {language} | {way} | {verbatim} | {numbers} | {bleu} |"


if __name__ == "__main__":
    main()
