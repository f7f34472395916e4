"""Short entries in four languages: greetings, courtesies, single words, noun phrases; lines of a phrase book.

Tatoeba has few of them, and a stranger types them first.
"""

import random
from pathlib import Path

from regard_models.recipes.pairs import Pair

_LINES = (Path(__file__).parent / "entries.txt").read_text("utf-8")

ENTRIES = [tuple(line.split(" | ")) for line in _LINES.strip().splitlines()]
"""(English, German, French, Spanish) of each entry."""

_COLUMNS = {"de": 1, "fr": 2, "es": 3}


def entry(language: str, rng: random.Random) -> Pair:
    """An entry, whose first letter is now and then a capital on both sides."""
    line = rng.choice(ENTRIES)
    source, target = line[0], line[_COLUMNS[language]]
    if rng.random() < 0.2:
        source, target = (text[:1].upper() + text[1:] for text in (source, target))
    return Pair(source, target, language)
