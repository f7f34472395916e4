"""Finds what a translation copies."""

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache

from regard_service.domain.results import Span
from regard_service.passages.protection.rules import addresses, codes, marks, numbers, placeholders
from regard_service.passages.protection.rules.kinds import Finding, Kind

# In order: where two rules match at one place, the first wins.
_RULES = (
    *placeholders.CODE_RULES,
    *marks.LINK_RULES,
    *addresses.RULES,
    *placeholders.RULES,
    *codes.KEY_RULES,
    *codes.FORMULA_RULES,
    *codes.NETWORK_RULES,
    *marks.SHORT_RULES,
    *addresses.FILE_RULES,
    *marks.RULES,
    *numbers.RULES,
    *codes.RULES,
    *numbers.PLAIN_RULES,
)
RARE_SIGNS = re.compile(r"[@\\`{<&\[\u00b2\u00b3\u00b9\u2070-\u2079]")
"""Without one of these, which few sentences hold, a third of the rules find nothing, and are not tried."""
_RARE = placeholders.RARE | addresses.RARE | marks.RARE
_COMMON_RULES = tuple(rule for rule in _RULES if rule[0] not in _RARE)
_PATTERN, _COMMON_PATTERN = (
    re.compile("|".join(f"({expression})" for expression, _ in rules)) for rules in (_RULES, _COMMON_RULES)
)
# Every finding holds one of these: most sentences hold none, and are done at once.
_SIGNS = re.compile(
    r"[0-9@#$%&{}\[\]\\/`<>_:;=*+~^|¯\u00a9\u00ae\u00b2\u00b3\u00b9\u2070-\u208e\u203c-\u2049\u2100-\u303f\U0001f000-\U0001faff]|[^\w\s]\w{2}|[a-z][A-Z]|--|\(\)"
    r"|(?<!\w)[xX8]\S|(?<!\S)-[A-Za-z]|[\u00b1\u00b7\u00d7\u00f7]"
)
_QUOTES = "\"'"
_SENTENCE_MARKS = ".,;:!?…'\"’”»*_"
_OPENING_APOSTROPHE = re.compile(r"(?<!\w)'(?=\w)")
_MAX_KEPT = 500  # characters of a text whose findings are kept for a while
_MAX_VERSIONED = 40
_VERSION = re.compile(r"(?<!\w)(?i:vers(?:ion|ión|ão|ione|ie|ión)|ver\.?|v\.?|release|rev\.?|build)[ \u00a0]$")
_VERSIONED = re.compile(r"(?<!\w)[A-Z][A-Za-z]{1,30}+[ \u00a0]$")
_PAIRS = {")": "(", "]": "["}


def find(text: str) -> list[Finding]:
    """Returns what a translation copies; in order, without overlap."""
    if not _SIGNS.search(text):
        return []
    return list(_found_again(text) if len(text) <= _MAX_KEPT else _found(text))


@lru_cache(128)
def _found_again(text: str) -> tuple[Finding, ...]:
    """Finds once what the steps of a segment's preparation all ask for."""
    return tuple(_found(text))


def _found(text: str) -> Iterator[Finding]:
    position = 0
    quotes = _Quotes(text)
    pattern, rules = (_PATTERN, _RULES) if RARE_SIGNS.search(text) else (_COMMON_PATTERN, _COMMON_RULES)
    while (match := pattern.search(text, position)) is not None:
        expression, kind = rules[(match.lastindex or 1) - 1]
        if kind is Kind.NUMBER and _is_version(text, match):
            kind = Kind.DIGITS
        if expression is numbers.INCHES and not quotes.take_sign(match.end() - 1):
            kind = Kind.NUMBER
        end = _trimmed_end(text, match.start(), match.end()) if kind in (Kind.ADDRESS, Kind.HANDLE) else match.end()
        if kind is Kind.NUMBER and text[end - 1] in _QUOTES:
            end -= 1
        if end > match.start():
            yield Finding(Span(match.start(), end), kind)
        position = max(end, match.start() + 1)


class _Quotes:
    """The plain quotation marks of a text, which are signs of inches and feet behind a number where none is open."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._counted = 0
        self._is_open = False

    @cached_property
    def _first_apostrophe(self) -> int:
        match = _OPENING_APOSTROPHE.search(self._text)
        return len(self._text) if match is None else match.start()

    def take_sign(self, position: int) -> bool:
        """Whether the mark at a position, behind all earlier ones, is a sign of a measure, not of a quotation."""
        mark = self._text[position]
        if mark == "'":
            return position < self._first_apostrophe
        if mark != '"':
            return True
        self._is_open ^= self._text.count('"', self._counted, position) % 2 == 1
        self._counted = position if self._is_open else position + 1
        return not self._is_open


def _is_version(text: str, number: re.Match[str]) -> bool:
    """Whether a number is a version: 2.0 of "version 2.0" and of "uses Python 3.11". It has no decimal mark."""
    if "." not in number[0]:
        return False
    before = text[max(0, number.start() - _MAX_VERSIONED) : number.start()]
    if _VERSION.search(before):
        return True
    name = _VERSIONED.search(before)
    return name is not None and before[: name.start()].rstrip()[-1:] not in ("", *'.!?:"“„(')


def _trimmed_end(text: str, start: int, end: int) -> int:
    """Leaves punctuation after an address to the sentence; closing brackets stay if they were opened."""
    surplus = {
        close: text.count(close, start, end) - text.count(opening, start, end) for close, opening in _PAIRS.items()
    }
    while end > start:
        last = text[end - 1]
        if surplus.get(last, 0) > 0:
            surplus[last] -= 1
        elif last in _PAIRS or last not in _SENTENCE_MARKS:
            return end
        end -= 1
    return end
