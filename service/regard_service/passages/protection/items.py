"""What of a text is protected, and what a model reads instead of it."""

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from regard_service.domain.results import Span
from regard_service.passages.edits import EditedText
from regard_service.passages.protection.dates import dates, days_of_week, knows_dates, read_date
from regard_service.passages.protection.numerals import marks_of, value
from regard_service.passages.protection.options import ProtectionOptions
from regard_service.passages.protection.rules.codes import is_code
from regard_service.passages.protection.rules.finding import find
from regard_service.passages.protection.rules.kinds import NUMERIC, Finding, Kind
from regard_service.passages.protection.unread import with_unread

# Of a segment: there are so many days that can stand for one.
MAX_DATES = 5


class Item(NamedTuple):
    """A protected range of a text.

    Attributes:
        span: its place in the text.
        text: what stands there.
        stand_in: what the model reads; None: the text itself, "": nothing.
    """

    span: Span
    text: str
    kind: Kind
    stand_in: str | None


def items_of(text: str, options: ProtectionOptions) -> list[Item]:
    """Returns what of a text is protected; in order, without overlap."""
    found = _without(_with_dates(text, find(text), options), options.released)
    findings = _with_callers(found, _callers_spans(text, options))
    if options.lacks is not None:
        findings = with_unread(text, findings, options.lacks)
    choice = _StandInChoice(text, options)
    return [
        Item(span, text[slice(*span)], kind, choice.of(text[slice(*span)], kind))
        for span, kind in _bracketed(text, _joined(text, findings))
    ]


def _without(findings: Iterable[Finding], released: Sequence[Span]) -> list[Finding]:
    """Returns the findings that no released range contains."""
    return [f for f in findings if not any(r.start <= f.span.start and f.span.end <= r.end for r in released)]


class _StandInChoice:
    """Chooses the stand-ins of one text: words that the text does not hold, each once."""

    def __init__(self, text: str, options: ProtectionOptions) -> None:
        self._options = options
        self._names = _unused(text, options.stand_ins.names)
        self._numbers = _unused(text, options.stand_ins.numbers)
        self._days = _unused(text, days_of_week(options.source_language) if _has_dates(options) else ())
        self._years = _unused(text, options.stand_ins.years)

    def of(self, part: str, kind: Kind) -> str | None:
        """Returns what the model reads instead of a part; None: the part itself, "": nothing."""
        if self._options.carry != "stand_in":
            return "" if self._options.carry == "nothing" else None
        if kind in NUMERIC:
            return self._of_number(part, kind)
        if kind is Kind.MARK:
            return ""
        if kind is Kind.DATE:
            return self._of_date(part)
        if kind is Kind.ENTITY:
            return self._of_entity(html.unescape(part))
        if _is_count(part):
            return next(self._numbers, None) or next(self._names, None)
        return next(self._names, None)

    def _of_date(self, part: str) -> str | None:
        date = read_date(part, self._options.source_language)
        if date is None or not date.day:
            return next(self._years, None)
        return date.weekday or next(self._days, None)

    def _of_entity(self, character: str) -> str:
        if character == "&" and conjunctions(self._options.target_language):
            character = next(iter(conjunctions(self._options.source_language)), character)
        is_read = self._options.lacks is None or not self._options.lacks(character)
        return character if is_read else ""

    def _of_number(self, part: str, kind: Kind) -> str | None:
        if not self._options.replaces_numbers or _has_plurals(self._options.target_language):
            return None
        if kind is Kind.DECADE:
            return None  # "45s" is none
        if kind is Kind.ORDINAL:
            number = next(self._numbers, None)
            return None if number is None else f"{number}th"
        if kind is Kind.NUMBER:
            if value(part, marks_of(self._options.source_language)) in (None, 0, 1):
                return None  # zero and one have their own grammar
            if _YEAR.fullmatch(part):
                return next(self._years, None)
        return next(self._numbers, None)


def _has_dates(options: ProtectionOptions) -> bool:
    return options.replaces_numbers and knows_dates(options.source_language, options.target_language)


def _with_dates(text: str, findings: Sequence[Finding], options: ProtectionOptions) -> list[Finding]:
    """Adds the dates with the name of a month; their numbers are no findings of their own."""
    if not findings or options.carry != "stand_in" or not _has_dates(options):
        return list(findings)
    found = [Finding(span, Kind.DATE) for span in dates(text, options.source_language)][:MAX_DATES]
    ends = [finding.span for finding in found]
    others = (each for each in findings if not any(d.start < each.span.end and each.span.start < d.end for d in ends))
    return sorted([*others, *found])


def conjunctions(language: str) -> tuple[str, ...]:
    """Returns the words of a language that "&" stands for, the most common first; none if they are not known."""
    return _AND.get(language.lower().replace("_", "-").split("-")[0], ())


_AND = {
    "en": ("and",), "de": ("und",), "fr": ("et",), "es": ("y", "e"), "pt": ("e",), "it": ("e", "ed"), "nl": ("en",),
    "da": ("og",), "nb": ("og",), "no": ("og",), "nn": ("og",), "sv": ("och",), "fi": ("ja",), "et": ("ja",),
    "pl": ("i", "oraz"), "cs": ("a",), "sk": ("a",), "ca": ("i",), "hr": ("i",), "sr": ("i",), "sl": ("in",),
    "ro": ("și",), "hu": ("és",), "ru": ("и",), "uk": ("і", "та", "й"), "bg": ("и",), "tr": ("ve",), "el": ("και",),
    "lt": ("ir",), "lv": ("un",),
}  # fmt: skip


def _callers_spans(text: str, options: ProtectionOptions) -> list[Span]:
    """Returns the ranges of the caller and of the caller's patterns; in order, joined where they overlap."""
    found = [span for pattern in options.patterns for span in pattern.find(text)]
    clipped = [Span(max(0, span.start), min(len(text), span.end)) for span in options.spans]
    joined: list[Span] = []
    for span in sorted(found + [span for span in clipped if span.start < span.end]):
        if joined and span.start < joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _with_callers(findings: Sequence[Finding], spans: Sequence[Span]) -> list[Finding]:
    """Adds the caller's ranges; one that overlaps findings absorbs them."""
    if not spans:
        return list(findings)
    merged: list[Finding] = []
    for finding in sorted(
        [*findings, *(Finding(span, Kind.NAME) for span in spans)], key=lambda f: (f.span, f.kind is not Kind.NAME)
    ):
        if merged and finding.span.start < merged[-1].span.end:
            last = merged.pop()
            finding = Finding(Span(last.span.start, max(last.span.end, finding.span.end)), Kind.NAME)
        merged.append(finding)
    return merged


_GLUE = re.compile(r"[\s,;/|&+=–—:·\-]{0,3}")
_JOINING = frozenset({Kind.PLACEHOLDER, Kind.CODE, Kind.ADDRESS, Kind.HANDLE, Kind.NAME})


def _joined(text: str, findings: Sequence[Finding]) -> list[Finding]:
    """Joins what has no word between: "%s: %d" is copied as a whole. Marks join only marks, numbers nothing."""
    joined: list[Finding] = []
    for finding in findings:
        if joined and _is_joined(text, joined[-1], finding):
            last = joined.pop()
            finding = Finding(Span(last.span.start, finding.span.end), last.kind)
        joined.append(finding)
    return joined


def _bracketed(text: str, findings: Sequence[Finding]) -> Iterator[Finding]:
    """Yields findings; one that is all that stands in brackets is a mark with them: models lose the brackets."""
    for span, kind in findings:
        before, after = text[max(0, span.start - 2) : span.start], text[span.end : span.end + 2]
        is_closed = before[-1:] + after[:1] in ("()", "[]") and before[:1] in ("(", "[", " ")
        if is_closed and not after[1:].isalnum():
            yield Finding(Span(span.start - 1, span.end + 1), Kind.MARK)
        else:
            yield Finding(span, kind)


def _is_joined(text: str, left: Finding, right: Finding) -> bool:
    kinds = {left.kind, right.kind}
    if not (kinds <= _JOINING or kinds == {Kind.MARK}):
        return False
    gap = text[left.span.end : right.span.start]
    return _GLUE.fullmatch(gap) is not None


def _unused(text: str, candidates: Sequence[str]) -> Iterator[str]:
    """Yields the candidates that the text does not hold itself."""
    lowered = text.lower()
    return (candidate for candidate in candidates if candidate.lower() not in lowered)


_COUNT = re.compile(
    r"%(?:[0-9]+\$)?[-+#0-9.*]*(?:[hlLqjzt]*)[diu]|[$#%]?\{+ ?(?:n|num\w*|count\w*|total\w*|\w*_?count|number\w*) ?\}+"
)


def _is_count(text: str) -> bool:
    """Whether a placeholder stands for a number."""
    return _COUNT.fullmatch(text) is not None


_SEVERAL_PLURALS = frozenset("ar be bs cs cy ga gd he hr lt lv mk mt pl ro ru sk sl sr uk".split())
"""Languages with more than one plural: the words after a stand-in would not suit the number."""


def _has_plurals(language: str) -> bool:
    return language.lower().replace("_", "-").split("-")[0] in _SEVERAL_PLURALS


_YEAR = re.compile("1[1-9][0-9]{2}|20[0-9]{2}")


_ESCAPED_BREAK = re.compile(r"(?:\\[nrt])+")


def is_escaped_break(text: str) -> bool:
    """Whether an item is white space as strings of programs write it."""
    return _ESCAPED_BREAK.fullmatch(text) is not None


_TEMPLATE = re.compile(r"[$#%@]?\{[{%]?[^{};=]*+[%}]?\}|\{\s?\w{1,40}\s?,[^;]*\}")


def _without_templates(text: str, items: Sequence[Item]) -> str:
    """Returns a text with a word for each placeholder of a template: their braces are no sign of a program."""
    templates = [item.span for item in items if item.kind is Kind.PLACEHOLDER and _TEMPLATE.fullmatch(item.text)]
    return EditedText.replacing(text, [(span, "x") for span in templates]).text if templates else text


def is_all_copied(text: str, items: Sequence[Item]) -> bool:
    """Whether no letter remains beside what is protected, or all is code."""
    ends = [Span(0, 0), *(item.span for item in items), Span(len(text), len(text))]
    return is_code(_without_templates(text, items)) or not any(
        c.isalpha() for left, right in pairwise(ends) for c in text[left.end : right.start]
    )
