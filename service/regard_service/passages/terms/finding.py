"""Which terms a text holds, and where: the longest of those that overlap."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from regard_service.domain.glossaries import GlossaryEntry
from regard_service.domain.results import Span

_WORD = re.compile(r"[^\W_]+")


class FoundTerm(NamedTuple):
    """A term in a text. Attributes: field: where the entry was given, for errors."""

    span: Span
    entry: GlossaryEntry
    field: str


@dataclass(frozen=True)
class _Rule:
    """An entry, ready to be looked for. White space of its source stands for any."""

    entry: GlossaryEntry
    field: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        source = self.entry.source
        body = r"\s+".join(map(re.escape, source.split()))
        if self.entry.is_whole_word:
            body = rf"(?<![^\W_]){body}" if source[0].isalnum() else body
            body = rf"{body}(?![^\W_])" if source[-1].isalnum() else body
        return re.compile(body, 0 if self.entry.is_case_sensitive else re.IGNORECASE)

    @cached_property
    def offset(self) -> int:
        """Where its first word begins."""
        first = _WORD.search(self.entry.source)
        return first.start() if first else 0


class TermFinder:
    """Looks for many terms at once: a text is read once, whatever their number.

    Args:
        entries: with the fields that gave them; of equal ones the first counts.
    """

    def __init__(self, entries: Iterable[tuple[GlossaryEntry, str]]) -> None:
        self._by_word: dict[str, list[_Rule]] = {}
        self._others: list[_Rule] = []  # not of whole words, or without a letter
        for entry, field in entries:
            first = _WORD.search(entry.source)
            if first is None or not entry.is_whole_word:
                self._others.append(_Rule(entry, field))
            else:
                self._by_word.setdefault(first[0].lower(), []).append(_Rule(entry, field))

    def find(self, text: str) -> Iterator[FoundTerm]:
        """Yields all terms of a text, also those that overlap."""
        for word in _WORD.finditer(text):
            for rule in self._by_word.get(word[0].lower(), ()):
                match = rule.pattern.match(text, max(0, word.start() - rule.offset))
                if match is not None:
                    yield FoundTerm(Span(*match.span()), rule.entry, rule.field)
        for rule in self._others:
            for match in rule.pattern.finditer(text):
                yield FoundTerm(Span(*match.span()), rule.entry, rule.field)


def longest(found: Iterable[FoundTerm]) -> list[FoundTerm]:
    """Returns terms in the order of the text, without overlap: the longer of two, else the first that was given."""
    taken: list[FoundTerm] = []
    for each in sorted(found, key=lambda each: each.span.start - each.span.end):
        if all(each.span.end <= other.span.start or other.span.end <= each.span.start for other in taken):
            taken.append(each)
    return sorted(taken, key=lambda each: each.span)


def contradictions(entries: Sequence[GlossaryEntry]) -> Iterator[tuple[int, str]]:
    """Yields each entry that has another target than an earlier entry of the same source, with a description."""
    first: dict[tuple[str, bool], int] = {}
    for index, entry in enumerate(entries):
        source = " ".join(entry.source.split())
        key = (source if entry.is_case_sensitive else source.casefold()), entry.is_case_sensitive
        other = first.setdefault(key, index)
        if entries[other].target != entry.target:
            yield index, f"{entry.source!r} is {entry.target!r} here and {entries[other].target!r} in entry {other}"
