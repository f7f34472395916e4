"""Cuts terms from pairs of sentences: words that a person translated in a way that is known."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.quality.alignment import Aligned, Aligner

MIN_LETTERS = 4
MAX_TERMS = 3
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class TermCase:
    """A source, its reference, and terms of it: words of the source with the words that stand for them."""

    source: str
    reference: str
    terms: tuple[tuple[str, str], ...]


def cut_terms(aligner: Aligner, pairs: Sequence[tuple[str, str]], language: str, seed: int) -> Iterator[TermCase]:
    """Yields the pairs that have terms: content words, linked one to one, that occur once on both sides.

    A word that has even a weak second link is no term: references translate many words with several, or with none.
    """
    choose = random.Random(seed)
    for source, reference in pairs:
        words = _WORD.findall(source), _WORD.findall(reference)
        links = aligner.links(Aligned(*words, set(), set()), language, min_grown=0.0)
        found = [(words[0][s], words[1][t]) for s, t in sorted(links) if _is_single(links, s, t)]
        terms = [each for each in found if _is_term(each[0], words[0]) and _is_term(each[1], words[1])]
        if terms:
            chosen = choose.sample(terms, min(len(terms), choose.randint(1, MAX_TERMS)))
            yield TermCase(source, reference, tuple(chosen))


def _is_single(links: set[tuple[int, int]], source: int, target: int) -> bool:
    return sum(s == source or t == target for s, t in links) == 1


def _is_term(word: str, words: Sequence[str]) -> bool:
    lowered = [each.lower() for each in words]
    return len(word) >= MIN_LETTERS and word.isalpha() and lowered.count(word.lower()) == 1
