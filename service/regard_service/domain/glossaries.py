"""Glossaries: how terms are to be translated."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GlossaryEntry:
    """One term.

    Attributes:
        source, target: as they are written, without white space around them. Inflected forms are entries of their own.
        is_case_sensitive: whether a text that differs in case does not hold the term.
        is_whole_word: whether a text that holds the term as part of a word does not hold it; nor may the target be part
            of a word.
    """

    source: str
    target: str
    is_case_sensitive: bool = False
    is_whole_word: bool = True


@dataclass(frozen=True)
class Glossary:
    """Terms that a server keeps under a name.

    Attributes:
        source_language, target_language: BCP 47 codes.
    """

    name: str
    source_language: str
    target_language: str
    entries: tuple[GlossaryEntry, ...]
