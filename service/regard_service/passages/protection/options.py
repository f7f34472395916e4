"""What to protect in a text, and how a model copies best."""

from dataclasses import dataclass, field

from regard_service.domain.results import Span
from regard_service.passages.protection.patterns import Pattern


@dataclass(frozen=True)
class StandIns:
    """Words that a model copies reliably, in the order of preference.

    The defaults are those that the models at hand copied best, in all their languages (docs/adr/0022).

    Attributes:
        names: stand for addresses, placeholders, codes and names.
        numbers: stand for numbers; of the plural, and with more than one digit, so that no model spells them out.
        years: stand for numbers that look like a year.
    """

    names: tuple[str, ...] = ("Boston", "Robert", "David", "Peter", "Tom")
    numbers: tuple[str, ...] = ("30", "20", "50", "40", "12", "10", "13")
    years: tuple[str, ...] = ("2013", "2012", "2010")


@dataclass(frozen=True)
class ProtectionOptions:
    """How to protect one text.

    Attributes:
        source_language, target_language: of which the forms of numbers depend; "" if unknown: numbers are read and
            written as in English, and those that are put into a target keep the source's form.
        patterns: a caller's own patterns.
        spans: a caller's own ranges of the text; those that overlap are joined.
        stand_ins: what the model reads instead.
        replaces_numbers: whether numbers are replaced before the model, too, not only checked afterwards.
    """

    source_language: str = ""
    target_language: str = ""
    patterns: tuple[Pattern, ...] = ()
    spans: tuple[Span, ...] = ()
    stand_ins: StandIns = field(default_factory=StandIns)
    replaces_numbers: bool = True
