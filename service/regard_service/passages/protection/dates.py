"""Dates with the name of a month: a day of the week stands for them, and they return in the target's form.

"The contract ends on March 15, 2024." is read as "The contract ends on Monday.", becomes "Der Vertrag endet am
Montag.", and then "Der Vertrag endet am 15. März 2024.": a day of the week has the prepositions of a date, and all
models know it.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from regard_service.domain.results import Span

_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
}
_ABBREVIATIONS = r"(?P<short>Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)(?:\.|(?= \d))"
_DAYS = {
    "en": "Monday Tuesday Wednesday Friday Saturday Sunday Thursday",
    "de": "Montag Dienstag Mittwoch Freitag Samstag Sonntag Donnerstag",
    "fr": "lundi mardi mercredi vendredi samedi dimanche jeudi",
    "es": "lunes martes miércoles viernes sábado domingo jueves",
    "pt": "segunda-feira terça-feira quarta-feira sexta-feira sábado domingo quinta-feira",
    "it": "lunedì martedì mercoledì venerdì sabato domenica giovedì",
    "nl": "maandag dinsdag woensdag vrijdag zaterdag zondag donderdag",
}
_NUM_STAND_INS = 5  # the first of these days
_YEAR = "(?P<year>[12][0-9]{3})"
_DAY = "(?P<day>[12][0-9]|3[01]|0?[1-9])"
_START, _END = r"(?<![\w.,:])", r"(?![\w-]|[.,]\d)"
# "{month}" is the name of a month, "{weekday}" one of a day of the week, if there is one.
_FORMS = {
    "en": (
        rf"(?<![\w.,]){{weekday}}{{month}} {_DAY}(?:st|nd|rd|th)?(?:,? {_YEAR})?(?![\w:%-]|[.,]\d)",
        rf"{_START}{{weekday}}(?:the )?{_DAY}(?:st|nd|rd|th)?(?: of)? {{month}}(?:,? {_YEAR})?{_END}",
        rf"(?<![\w.,]){{month}},? {_YEAR}{_END}",
    ),
    "de": (
        rf"{_START}{{weekday}}(?:(?:den|dem) )?{_DAY}\. {{month}}(?: {_YEAR})?{_END}",
        rf"{_START}{{month}} {_YEAR}{_END}",
    ),
    "fr": (
        rf"{_START}{{weekday}}(?:le )?{_DAY}(?:er)? {{month}}(?: {_YEAR})?{_END}",
        rf"{_START}{{month}} {_YEAR}{_END}",
    ),
    "es": (
        rf"{_START}{{weekday}}{_DAY}(?:\.?º)? de {{month}}(?: del? {_YEAR})?{_END}",
        rf"{_START}{{month}} del? {_YEAR}{_END}",
    ),
    "pt": (
        rf"{_START}{{weekday}}(?:em )?{_DAY}(?:\.?º)? de {{month}}(?: de {_YEAR})?{_END}",
        rf"{_START}{{month}} de {_YEAR}{_END}",
    ),
    "it": (rf"{_START}{{weekday}}(?:il )?{_DAY}°? {{month}}(?: {_YEAR})?{_END}", rf"{_START}{{month}} {_YEAR}{_END}"),
    "nl": (rf"{_START}{{weekday}}{_DAY} {{month}}(?: {_YEAR})?{_END}", rf"{_START}{{month}} {_YEAR}{_END}"),
}
# The words before a day of the week that a date has in another form, and that form; "" is for a day without them.
_BEFORE = {
    "fr": {"": "le ", "le ": "le ", "ce ": "ce ", "de ": "du ", "du ": "du ", "à ": "au ", "au ": "au "},
    "es": {"": "el ", "el ": "el ", "del ": "del ", "al ": "al ", "este ": "este "},
    "pt": {
        "": "",
        "na ": "em ",
        "no ": "em ",
        "em ": "em ",
        "da ": "de ",
        "do ": "de ",
        "a ": "",
        "o ": "",
        "à ": "a ",
    },
    "it": {"": "il ", "il ": "il ", "di ": "del ", "del ": "del ", "a ": "al "},
}
# The words before a year that may change before the name of a month.
_BEFORE_YEAR = {"de": "(?:(?:im Jahre?|im|seit|bis|von|ab|vor|nach|und|zwischen) )?", "it": "(?:nel )?"}
_YEAR_WORDS = {"de": {"": "im ", "im Jahr ": "im ", "im Jahre ": "im "}, "it": {"nel ": "nel "}}


class Date(NamedTuple):
    """A day of a month, or a month of a year.

    Attributes:
        day: 0 if it is not named.
        month: 1 to 12.
        year: 0 if it is not named.
        weekday: as the text has it; "" if it is not named.
    """

    day: int
    month: int
    year: int
    weekday: str = ""


def knows_dates(source_language: str, target_language: str) -> bool:
    """Whether dates of one language can be written in the other. Args: BCP 47 codes."""
    return _base(source_language) in _FORMS and _base(target_language) in _FORMS


def dates(text: str, language: str) -> Iterator[Span]:
    """Yields the dates of a text with the name of a month; in order, without overlap."""
    for match in _pattern(_base(language)).finditer(text):
        yield Span(*match.span())


def read_date(text: str, language: str) -> Date | None:
    """Returns what a date says; None if the text is none."""
    match = _pattern(_base(language)).fullmatch(text)
    if match is None:
        return None
    # Each form has its own groups.
    groups = {name.rstrip("_"): found for name, found in match.groupdict().items() if found}
    months = [name.lower() for name in _MONTHS[_base(language)].split()]
    written = (groups.get("month") or groups["short"]).lower()
    month = next(number for number, name in enumerate(months, 1) if name.startswith(written))
    return Date(int(groups.get("day", 0)), month, int(groups.get("year", 0)), groups.get("weekday", ""))


def days_of_week(language: str) -> tuple[str, ...]:
    """Returns the days that may stand for dates, as a language names them."""
    return tuple(_DAYS[_base(language)].split()[:_NUM_STAND_INS])


def places_of_date(stand_in: str, source_language: str, target: str, language: str) -> list[Span]:
    """Returns where a translation has what stood for a date, with an article before it.

    Args:
        stand_in: a day of the week of the source's language, or a year.
        language: the target's.
    """
    base = _base(language)
    if stand_in.isdecimal():
        pattern = re.compile(rf"(?<!\w){_BEFORE_YEAR.get(base, '')}{stand_in}(?!\w)")
    else:
        days = [day.lower() for day in _DAYS[_base(source_language)].split()]
        pattern = _day_pattern(base, _DAYS[base].split()[days.index(stand_in.lower())])
    return [Span(*match.span()) for match in pattern.finditer(target)]


def write_date(date: Date, language: str, written: str = "") -> str:
    """Returns a date as a language has it.

    Args:
        written: what stands in its place: a day of the week or a year, with words before it; "" if nothing does.
    """
    base = _base(language)
    month = _MONTHS[base].split()[date.month - 1]
    if not date.day:
        before = written[: len(written) - len(written.split(" ")[-1])]
        word = _YEAR_WORDS.get(base, {}).get(before, before) if written else ""
        return f"{word}{month} {'de ' if base in ('es', 'pt') else ''}{date.year}"
    bare = _written(date, month, base)
    if date.weekday and written:
        return f"{written}{' ' if base in ('fr', 'it', 'nl') else ', '}{bare}"
    before, _, _ = written.rpartition(" ")
    if base not in _BEFORE or not written:
        return bare
    word = _BEFORE[base].get(f"{before.lower()} ".lstrip(), f"{before} ".lstrip())
    new = word + bare
    return new[:1].upper() + new[1:] if written[:1].isupper() else new


def _written(date: Date, month: str, language: str) -> str:
    year = f" {date.year}" if date.year else ""
    match language:
        case "en":
            return f"{month} {date.day}" + (f", {date.year}" if date.year else "")
        case "de":
            return f"{date.day}. {month}{year}"
        case "es" | "pt":
            return f"{date.day} de {month}" + (f" de {date.year}" if date.year else "")
        case "fr":
            return f"{'1er' if date.day == 1 else date.day} {month}{year}"
    return f"{date.day} {month}{year}"


def _base(language: str) -> str:
    return language.lower().replace("_", "-").split("-")[0]


@lru_cache
def _pattern(language: str) -> re.Pattern[str]:
    names = "|".join(_MONTHS[language].split())
    month = f"(?:(?P<month>{names})|{_ABBREVIATIONS})" if language == "en" else f"(?P<month>{names})"
    forms = [form.replace("{month}", month) for form in _FORMS[language]]
    # A group's name may occur once.
    weekday = f"(?:(?P<weekday>{'|'.join(_DAYS[language].split())}),? )?"
    forms = [form.replace("{weekday}", weekday) for form in forms]
    named = [re.sub(r"\?P<(\w+)>", rf"?P<\1{'_' * number}>", form) for number, form in enumerate(forms)]
    return re.compile("|".join(named), re.IGNORECASE if language in ("fr", "es", "pt", "it", "nl") else 0)


@lru_cache
def _day_pattern(language: str, name: str) -> re.Pattern[str]:
    before = "|".join(word for word in _BEFORE.get(language, {}) if word)
    short = name.removesuffix("-feira")
    ending = "(?:-feira)?" if short != name else "s?" if language == "de" else ""
    return re.compile(
        rf"(?<!\w)(?:{before})?{short}{ending}(?!\w)" if before else rf"(?<!\w){short}{ending}(?!\w)", re.I
    )
