"""What to protect in a text, and how a model copies best."""

from dataclasses import dataclass, field
from typing import Literal

from regard_service.domain.results import Span
from regard_service.passages.protection.patterns import Pattern
from regard_service.passages.protection.unread import Lacks

Carry = Literal["stand_in", "itself", "nothing"]


@dataclass(frozen=True)
class StandIns:
    """Words that a model copies reliably, in the order of preference.

    The defaults are those that the models at hand copied best, in all their languages (docs/adr/0022).

    Attributes:
        names: stand for addresses, placeholders, codes and names.
        numbers: stand for numbers; of the plural, and with more than one digit, so that no model spells them out.
        years: stand for numbers that look like a year.
    """

    names: tuple[str, ...] = (
        "Hugo", "Alex", "Carlos", "Robert", "Simon", "Chris", "David", "Daniel", "Max", "Oscar", "Martin", "Boston",
    )  # fmt: skip
    numbers: tuple[str, ...] = ("45", "25", "15", "50", "14", "28", "35", "60", "39", "48")
    years: tuple[str, ...] = ("2015", "2005", "1990", "1950", "2019", "2008", "1995")


@dataclass(frozen=True)
class ProtectionOptions:
    """How to protect one text.

    Attributes:
        source_language, target_language: of which the forms of numbers depend; "" if unknown: numbers are read and
            written as in English, and those that are put into a target keep the source's form.
        patterns: a caller's own patterns.
        spans: a caller's own ranges of the text; those that overlap are joined.
        released: ranges of the text within which nothing is protected, such as terms.
        stand_ins: what the model reads instead.
        carry: what the model reads instead of a part: a stand-in, the part itself, or nothing.
        lacks: whether the model's vocabulary lacks a character of a text; None: it lacks none.
        replaces_numbers: whether numbers are replaced before the model, too, not only checked afterwards.
    """

    source_language: str = ""
    target_language: str = ""
    patterns: tuple[Pattern, ...] = ()
    spans: tuple[Span, ...] = ()
    released: tuple[Span, ...] = ()
    stand_ins: StandIns = field(default_factory=StandIns)
    carry: Carry = "stand_in"
    replaces_numbers: bool = True
    lacks: Lacks | None = None
