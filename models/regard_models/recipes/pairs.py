"""Reads sentences and their translations. This module needs no PyTorch."""

import gzip
from dataclasses import dataclass
from pathlib import Path

from regard_models.recipes.word_links import Links


@dataclass(frozen=True)
class Pair:
    """A sentence and its translation.

    Attributes:
        language: the target's code.
        links: positions of words that translate each other, see `word_links.py`; empty if unknown.
    """

    source: str
    target: str
    language: str
    links: Links = ()


def read_pairs(folder: Path, split: str, language: str, *, source_language: str = "en") -> list[Pair]:
    """Reads the pairs of lines in `SPLIT.en.gz` and `SPLIT.LANGUAGE.gz` of a folder; collapses white space."""
    sides = []
    for code in (source_language, language):
        with gzip.open(folder / f"{split}.{code}.gz", "rt", encoding="utf-8") as lines:
            sides.append([" ".join(line.split()) for line in lines])
    if len(sides[0]) != len(sides[1]):
        counts = f"{len(sides[0])} {source_language} and {len(sides[1])} {language} lines"
        raise ValueError(f"{folder}: {split} has {counts}")
    return [Pair(source, target, language) for source, target in zip(*sides, strict=True)]
