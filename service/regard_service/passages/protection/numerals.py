"""Numbers and times as languages write them: their value, and their form in another language.

Decimal and grouping marks are those of the Unicode CLDR (`numbers.symbols`).
"""

import re
from decimal import Decimal
from typing import NamedTuple

_NARROW_SPACE = "\u202f"
_SPACES = " \u00a0\u202f\u2009"


class Marks(NamedTuple):
    """The decimal mark of a language, and the mark between groups of three digits."""

    decimal: str
    group: str


_POINT = Marks(".", ",")
_COMMA = Marks(",", ".")
_COMMA_AND_SPACE = Marks(",", _NARROW_SPACE)
_MARKS = {
    **dict.fromkeys("de es pt it nl da tr id el hr sl sr bs ro vi ca gl eu is mk fo".split(), _COMMA),
    **dict.fromkeys("fr ru uk be pl cs sk sv no nb nn fi hu bg et lv lt sq hy ka kk uz".split(), _COMMA_AND_SPACE),
}


def marks_of(language: str | None) -> Marks:
    """Returns a language's marks; those of English for languages that are not listed."""
    return _MARKS.get((language or "en").lower().replace("_", "-").split("-")[0], _POINT)


def value(text: str, marks: Marks) -> Decimal | None:
    """Returns a number's value, or None if the text is no plain number.

    A mark that cannot be what the language makes of it is read as the other one: "3,50" is 3.5 in English too, because
    groups have three digits.
    """
    digits = _normal(text)
    if not _PLAIN.fullmatch(digits):
        return None
    decimal = _decimal_mark(digits, marks)
    whole, _, fraction = digits.rpartition(decimal) if decimal else (digits, "", "")
    return Decimal(f"{re.sub('[^0-9]', '', whole) or '0'}.{fraction or '0'}")


_PLAIN = re.compile(r"[0-9]++(?:[., ’'][0-9]++)*+")


def _normal(text: str) -> str:
    """Returns ASCII digits and single plain spaces."""
    return "".join(str(int(c)) if c.isdecimal() else " " if c in _SPACES else c for c in text)


def _decimal_mark(digits: str, marks: Marks) -> str:
    """Returns the mark before the fraction; empty if there is none."""
    used = [c for c in digits if not c.isdecimal()]
    if not used or used[-1] not in ".,":
        return ""
    last = used[-1]
    if used.count(last) > 1:
        return ""
    if len(used) > 1:
        return last
    whole, _, fraction = digits.partition(last)
    is_group = len(fraction) == 3 and len(whole) <= 3 and not whole.startswith("0")
    return "" if is_group and last != marks.decimal else last


def localized(text: str, source: Marks, target: Marks) -> str:
    """Returns a number of one language in the form of another: groups stay groups, the fraction keeps its digits."""
    if value(text, source) is None or source == target:
        return text
    digits = _normal(text)
    decimal = _decimal_mark(digits, source)
    whole, _, fraction = digits.rpartition(decimal) if decimal else (digits, "", "")
    whole = re.sub("[., ’']", target.group, whole)
    return f"{whole}{target.decimal}{fraction}" if decimal else whole


# Languages that write the sign of a currency behind the number, after a space; of the Unicode CLDR.
_SIGN_LAST = frozenset(
    "bg bs ca cs da de el es et eu fi fr gl hr hu hy is it ka kk lt lv mk nb nn no pl ro ru sk sl sq sr sv uk".split()
)
_SIGN_FIRST = frozenset("en".split())
_SIGNED = re.compile(
    r"(?P<sign>[-+−±~≈]?)(?:(?P<first>[A-Z]{0,2}[$€£¥₹₽₩₺₪฿₴₦₫₡])[ \u00a0\u202f]?(?P<number>[0-9].*[0-9]|[0-9])"
    r"|(?P<before>[0-9].*[0-9]|[0-9])[ \u00a0\u202f]?(?P<last>[A-Z]{0,2}[$€£¥₹₽₩₺₪฿₴₦₫₡]))"
)


def localized_amount(text: str, language: str) -> str:
    """Returns an amount with the sign of its currency where a language has it; its number stays as it is."""
    match = _SIGNED.fullmatch(text)
    base = (language or "").lower().replace("_", "-").split("-")[0]
    if match is None:
        return text
    if match["first"] and base in _SIGN_LAST:
        return f"{match['sign']}{match['number']}\u00a0{match['first']}"
    if match["last"] and base in _SIGN_FIRST:
        return f"{match['sign']}{match['last']}{match['before']}"
    return text


_CURRENCY_WORDS = {
    "$": re.compile(r"[ \u00a0](?:US-)?(?:dollars?|dólares|dollari|\$|USD)(?!\w)", re.IGNORECASE),
    "€": re.compile(r"[ \u00a0](?:euros?|€|EUR)(?!\w)", re.IGNORECASE),
    "£": re.compile(r"[ \u00a0](?:pfund|livres?|libras?|sterline|pounds?|pond|£|GBP)(?!\w)", re.IGNORECASE),
}


def currency_end(amount: str, target: str, end: int) -> int:
    """Returns where a number of a target ends with the word for an amount's currency, which the amount has itself."""
    for sign, words in _CURRENCY_WORDS.items():
        match = words.match(target, end) if sign in amount else None
        if match is not None:
            return match.end()
    return end


class Clock(NamedTuple):
    """A time of the day."""

    hour: int
    minute: int


_TIME = re.compile(
    r"(?P<hour>[0-9]{1,2})(?:[:.h ]{0,2}(?P<minute>[0-9]{2})(?![0-9]))?(?::[0-9]{2})?"
    r"[ \u00a0\u202f]?(?P<half>[aApP]\.?[mM]\b\.?)?"
)


def clocks(text: str) -> frozenset[Clock]:
    """Returns the times of the day that a text such as "5:30 pm" can mean; none if it is no time.

    A time without "am" or "pm" that has at most 12 hours can be of either half of the day.
    """
    match = _TIME.match(text)
    if match is None:
        return frozenset()
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    if hour > 24 or minute > 59:
        return frozenset()
    if match["half"]:
        return frozenset({Clock(hour % 12 + (12 if match["half"][0] in "pP" else 0), minute)})
    return frozenset({Clock(hour, minute), Clock((hour + 12) % 24, minute)} if hour <= 12 else {Clock(hour, minute)})


def localized_time(text: str, language: str | None) -> str:
    """Returns a time of the day as a language without "am" and "pm" writes it; others keep it."""
    possible = clocks(text)
    if len(possible) != 1 or marks_of(language) == _POINT or text.rstrip(".")[-1:] not in "mM":
        return text
    (clock,) = possible
    return f"{clock.hour}:{clock.minute:02}"
