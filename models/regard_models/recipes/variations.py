"""Variations of sentence pairs on the fly: what strangers type that a corpus of clean sentences lacks.

Every function returns a pair that is still a translation, and keeps the links of its words.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from regard_models.recipes.pairs import Pair
from regard_models.recipes.word_links import split_words, word_spans

Variation = Callable[[Pair, random.Random], Pair]

_FINAL = (".", "!", "?", "…")
_OPENING = {"?": "¿", "!": "¡"}


def upper(pair: Pair, rng: random.Random) -> Pair:
    """Both sides in capitals."""
    return _recased(pair, pair.source.upper(), pair.target.upper())


def lower_source(pair: Pair, rng: random.Random) -> Pair:
    """A source in lower case, whose translation keeps its case."""
    return _recased(pair, pair.source.lower(), pair.target)


def title_source(pair: Pair, rng: random.Random) -> Pair:
    """A source whose words start with capitals, as in a heading; the translation keeps its case."""
    return _recased(pair, re.sub(r"\b[a-z]", lambda first: first[0].upper(), pair.source), pair.target)


def without_final_mark(pair: Pair, rng: random.Random) -> Pair:
    """Both sides without the mark that ends them, in Spanish without the one that opens the sentence too.

    Changes a pair only if it is one sentence whose sides end with the same mark.
    """
    sides = split_words(pair.source), split_words(pair.target)
    if any(len(words) < 2 or sum(word in _FINAL for word in words) != 1 for words in sides):
        return pair
    mark = sides[0][-1]
    if mark not in _FINAL or sides[1][-1] != mark:
        return pair
    shorter = _without_word(_without_word(pair, 0, len(sides[0]) - 1), 1, len(sides[1]) - 1)
    opening = _OPENING.get(mark, "")
    if opening and opening in sides[1]:
        shorter = _without_word(shorter, 1, sides[1].index(opening))
    return shorter


def doubled_final_mark(pair: Pair, rng: random.Random) -> Pair:
    """Both sides with the same further marks at the end: "!!", "??", "?!", "..."."""
    sides = split_words(pair.source), split_words(pair.target)
    if not all(sides) or sides[0][-1] != sides[1][-1] or sides[0][-1] not in _FINAL:
        return pair
    more = {".": ("..",), "!": ("!", "!!"), "?": ("?", "!", "??")}.get(sides[0][-1])
    if more is None:
        return pair
    marks = rng.choice(more)
    links = tuple((len(sides[0]) + number, len(sides[1]) + number) for number in range(len(marks)))
    return replace(pair, source=pair.source + marks, target=pair.target + marks, links=pair.links + links)


def join(parts: Sequence[Pair]) -> Pair:
    """One pair of several, which have the same language."""
    links: list[tuple[int, int]] = []
    num_source = num_target = 0
    for part in parts:
        links += [(i + num_source, j + num_target) for i, j in part.links]
        num_source += len(word_spans(part.source))
        num_target += len(word_spans(part.target))
    source, target = (" ".join(texts) for texts in zip(*((part.source, part.target) for part in parts), strict=True))
    return Pair(source, target, parts[0].language, tuple(links))


def replace_word(pair: Pair, word: str, text: str) -> Pair:
    """Replaces a word, which both sides have once, by a text that translations copy.

    Returns the pair unchanged if a side has the word more or less than once.
    """
    sides = split_words(pair.source), split_words(pair.target)
    if any(words.count(word) != 1 for words in sides):
        return pair
    source_at, target_at = (words.index(word) for words in sides)
    more = len(split_words(text)) - 1
    links = [
        (i + more * (i > source_at), j + more * (j > target_at))
        for i, j in pair.links
        if i != source_at and j != target_at
    ]
    links += [(source_at + number, target_at + number) for number in range(more + 1)]
    return replace(
        pair,
        source=_with_word(pair.source, source_at, text),
        target=_with_word(pair.target, target_at, text),
        links=tuple(links),
    )


@dataclass(frozen=True)
class Weighted:
    """Variations and the share of the pairs that each changes; the rest remain as they are."""

    shares: tuple[tuple[Variation, float], ...]

    def __call__(self, pair: Pair, rng: random.Random) -> Pair:
        draw = rng.random()
        for variation, share in self.shares:
            draw -= share
            if draw < 0:
                return variation(pair, rng)
        return pair


def _recased(pair: Pair, source: str, target: str) -> Pair:
    """The pair with other texts, unless these have other words: links count words."""
    counts = [len(word_spans(text)) for text in (pair.source, pair.target, source, target)]
    return replace(pair, source=source, target=target) if counts[:2] == counts[2:] else pair


def _without_word(pair: Pair, side: int, at: int) -> Pair:
    """Removes a word with its links from the source (0) or the target (1), and white space that then ends the text."""
    text = (pair.source, pair.target)[side]
    start, end = word_spans(text)[at]
    shorter = (text[:start] + text[end:]).strip()
    links = tuple(
        tuple(position - (number == side and position > at) for number, position in enumerate(link))
        for link in pair.links
        if link[side] != at
    )
    changed = {"source": shorter} if side == 0 else {"target": shorter}
    return replace(pair, links=links, **changed)  # type: ignore[arg-type]


def _with_word(text: str, at: int, word: str) -> str:
    start, end = word_spans(text)[at]
    return text[:start] + word + text[end:]
