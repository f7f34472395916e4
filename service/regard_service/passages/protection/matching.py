"""What a model wrote of a protected item: copies of a word, and numbers of the same value in any form."""

import re
from collections.abc import Iterator
from decimal import Decimal

from regard_service.domain.results import Span
from regard_service.passages.protection.dates import places_of_date, read_date, write_date
from regard_service.passages.protection.items import Item, conjunctions
from regard_service.passages.protection.numerals import (
    clocks,
    localized,
    localized_amount,
    localized_time,
    marks_of,
    value,
)
from regard_service.passages.protection.options import ProtectionOptions
from regard_service.passages.protection.rules.kinds import NUMERIC, Kind

_SPACES = " \u00a0\u202f"
_DIGITS = re.compile(
    rf"(?<![0-9])(?:[0-9]{{1,3}}(?:[{_SPACES}][0-9]{{3}})++(?![0-9])(?:,[0-9]++)?+"
    rf"|[0-9]++(?:(?:[.,:'’/h×x–\u00a0\u202f-]|[{_SPACES}]?h[{_SPACES}]?)[0-9]++)*+)"
)
_GROUP = re.compile("[0-9]+")
_NUMBER = re.compile("[0-9](?:.*[0-9])?", re.DOTALL)


def copies(word: str, text: str) -> list[Span]:
    """Returns where a text holds a word, in any case, with or without the "s" of a genitive."""
    if not word:
        return []
    left = r"(?<!\w)" if _is_of_word(word[0]) else ""
    right = r"(?:(?:['’]s|s)?(?!\w))" if _is_of_word(word[-1]) else ""
    return [Span(*match.span()) for match in re.finditer(left + re.escape(word) + right, text, re.IGNORECASE)]


def _is_of_word(character: str) -> bool:
    return character.isalnum() or character == "_"


class Forms:
    """The forms of numbers between two languages."""

    def __init__(self, options: ProtectionOptions) -> None:
        self._source = marks_of(options.source_language)
        self._source_language = options.source_language
        self._target = marks_of(options.target_language or options.source_language)
        self._language = options.target_language or options.source_language

    def words(self, item: Item, target: str) -> list[Span]:
        """Returns where the target holds what the model read of an item that is no number."""
        read = item.stand_in or item.text
        if item.kind is Kind.DATE and item.stand_in:
            return places_of_date(item.stand_in, self._source_language, target, self._language)
        if item.kind is Kind.ENTITY and read.isalpha():
            return sorted(span for word in conjunctions(self._language) for span in copies(word, target))
        return copies(read, target)

    def digits(self, target: str) -> Iterator[Span]:
        """Yields the numbers of a target, whatever they are."""
        return (Span(*match.span()) for match in _DIGITS.finditer(target))

    def numbers(self, item: Item, target: str) -> list[Span]:
        """Returns where the target holds the number that the model read."""
        return [span for span in self.digits(target) if self._is_same(item, target[slice(*span)])]

    def _is_same(self, item: Item, written: str) -> bool:
        read = item.stand_in or item.text
        bare = _number_in(read)
        if bare == written:
            return True
        if item.stand_in is None and item.kind is Kind.TIME:
            return bool(clocks(read) & clocks(written))
        if item.stand_in is None and item.kind in (Kind.DIGITS, Kind.DECADE):
            return _groups(read) == _groups(written)
        number = value(bare, self._source)
        return number is not None and number == value(written, self._target)

    def put(self, item: Item, written: str) -> str:
        """Returns what takes the place of what the model wrote."""
        if item.kind in NUMERIC and item.stand_in is None and self._is_same(item, written):
            return written
        if item.kind is Kind.ORDINAL:
            return _number_in(item.text)  # the ending that the model wrote stays
        if item.kind is Kind.DATE:
            return self._date(item, written)
        return self.placed(item)

    def placed(self, item: Item) -> str:
        """Returns an item as the target has it: numbers in the form of its language, all else verbatim."""
        if item.kind is Kind.DATE:
            return self._date(item, "")
        if item.kind is Kind.TIME:
            return localized_time(item.text, self._language)
        if item.kind in (Kind.NUMBER, Kind.AMOUNT):
            bare = _number_in(item.text)
            written = item.text.replace(bare, localized(bare, self._source, self._target), 1)
            return localized_amount(written, self._language) if item.kind is Kind.AMOUNT else written
        return item.text

    def _date(self, item: Item, written: str) -> str:
        date = read_date(item.text, self._source_language)
        return item.text if date is None else write_date(date, self._language, written)


def _number_in(text: str) -> str:
    """Returns a text from its first digit to its last one."""
    match = _NUMBER.search(text)
    return match[0] if match else text


def _groups(text: str) -> list[Decimal]:
    return [Decimal(group) for group in _GROUP.findall(text)]
