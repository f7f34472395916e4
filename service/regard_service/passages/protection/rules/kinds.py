"""Kinds of what a translation copies."""

from enum import Enum
from typing import NamedTuple

from regard_service.domain.results import Span


class Kind(Enum):
    """What a span is, which decides how it is carried through a model."""

    PLACEHOLDER = "placeholder"
    CODE = "code"  # code spans, identifiers, product codes
    ADDRESS = "address"  # URLs, e-mail addresses, paths, file names
    HANDLE = "handle"  # @names and #tags
    NAME = "name"  # names in brackets, and what a caller protects
    MARK = "mark"  # emoji, symbols, reference marks: no part of the sentence's grammar
    ENTITY = "entity"  # HTML entities in plain text, and "&", which is read as the word for it
    NUMBER = "number"
    ORDINAL = "ordinal"  # a number with its ending: 3rd
    DECADE = "decade"  # its number, without the ending: 1990 of 1990s
    AMOUNT = "amount"  # a number with its currency or percent sign
    DATE = "date"  # with the name of a month
    TIME = "time"
    DIGITS = "digits"  # dates, ranges, scores, telephone numbers: copied as they are


NUMERIC = frozenset({Kind.NUMBER, Kind.ORDINAL, Kind.DECADE, Kind.AMOUNT, Kind.TIME, Kind.DIGITS})


class Finding(NamedTuple):
    """A part of a text that is copied."""

    span: Span
    kind: Kind


Rule = tuple[str, Kind]
"""A regular expression without groups, and what it finds."""


def either(*expressions: str) -> str:
    """Returns the expression that matches what any of the given ones matches, the first first."""
    return "(?:" + "|".join(expressions) + ")"
