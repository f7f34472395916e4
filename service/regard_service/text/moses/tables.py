"""What Moses' rules look up for a language: classes of characters, and abbreviations that end with a full stop."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

CLASSES = ("alphanumeric", "alphabetic", "numeric", "lower", "currency")


@dataclass(frozen=True)
class MosesTables:
    """The tables of a language.

    Attributes:
        language: the code by which rules of single languages are chosen.
        abbreviations: words behind which a full stop ends no sentence ("Dr").
        before_numbers: those of them that stand before a number only ("No").
        classes: for each of `CLASSES`, its characters as the inside of a regular expression's brackets.
    """

    language: str
    abbreviations: frozenset[str]
    before_numbers: frozenset[str]
    classes: Mapping[str, str]

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> "MosesTables":
        """Reads the tables of a tokenizer's file.

        Raises:
            KeyError, TypeError, ValueError: the content is no table.
        """
        return cls(
            language=str(content["language"]),
            abbreviations=frozenset(map(str, content["abbreviations"])),
            before_numbers=frozenset(map(str, content["before_numbers"])),
            classes={name: _inside(content["classes"][name]) for name in CLASSES},
        )

    def __getitem__(self, name: str) -> str:
        return self.classes[name]

    @cached_property
    def alphabetic(self) -> re.Pattern[str]:
        """Matches one letter."""
        return re.compile(f"[{self.classes['alphabetic']}]")

    @cached_property
    def lower(self) -> re.Pattern[str]:
        """Matches one small letter."""
        return re.compile(f"[{self.classes['lower']}]")


def _inside(ranges: Sequence[Sequence[int]]) -> str:
    """Returns ranges of code points, each with its last one, as the inside of brackets."""
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
