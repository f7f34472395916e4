"""Numbers, amounts, times, dates and copied spans in sentences, written as each language writes them.

A `Figure` is the same thing in the four languages: 1,024.5 in English is 1.024,5 in German and Spanish, 1 024,5 in
French. Frames are sentences with places for figures.
"""

import random
import re
import string
from collections.abc import Callable

from regard_models.recipes.corpus import NAMES
from regard_models.recipes.figure_frames import FRAMES, MONTHS, NUMBER_WORDS, WEEKDAYS
from regard_models.recipes.pairs import Pair
from regard_models.recipes.word_links import split_words

Figure = dict[str, str]
"""Language code -> text."""

LANGUAGES = ("en", "de", "fr", "es")
NUM_MASKS = 32
MASKS = tuple(chr(0xE000 + number) for number in range(NUM_MASKS))
"""Private-use characters, each a piece of its own, for spans that a caller hides; translations copy them."""

_SEPARATORS = {"en": (",", "."), "de": (".", ","), "fr": (" ", ","), "es": (".", ",")}  # thousands, decimals
_CURRENCIES = {"$": "$", "€": "€", "£": "£"}
_ONE_O_CLOCK = re.compile(r"\b(son )?las 1:")  # singular in Spanish
_PLACE = re.compile(r"\{([a-z]+)(\d?)\}")


def number(whole: int, decimals: str = "", *, grouped: bool = True) -> Figure:
    """A number: digits before the decimal separator, and after it; thousands are separated if `grouped`."""
    figure = {}
    for code in LANGUAGES:
        thousands, point = _SEPARATORS[code]
        text = f"{whole:,}".replace(",", thousands) if grouped else str(whole)
        figure[code] = text + (point + decimals if decimals else "")
    return figure


def with_unit(figure: Figure, unit: str, *, english_space: bool = True) -> Figure:
    """A number before a unit or a sign, which only English may write without a space."""
    return {code: text + ("" if code == "en" and not english_space else " ") + unit for code, text in figure.items()}


def amount(figure: Figure, currency: str) -> Figure:
    """An amount of money: $3.50 is 3,50 $ elsewhere."""
    return {code: currency + text if code == "en" else f"{text} {currency}" for code, text in figure.items()}


def time_of_day(hour: int, minute: int, *, half_days: tuple[str, str] | None = None) -> Figure:
    """A time; English may count two times twelve hours, with the names of its halves, the others count 24."""
    return {
        "en": f"{(hour - 1) % 12 + 1}:{minute:02} {half_days[hour >= 12]}" if half_days else f"{hour}:{minute:02}",
        "de": f"{hour}:{minute:02} Uhr",
        "fr": f"{hour} h {minute:02}" if minute else f"{hour} h",
        "es": f"{hour}:{minute:02}",
    }


def date(day: int, month: int, year: int | None, *, month_first: bool) -> Figure:
    """A date with the name of its month; `month_first`: as American English writes it."""
    names = {code: MONTHS[code][month - 1] for code in LANGUAGES}
    if month_first:
        english = f"{names['en']} {day}" + (f", {year}" if year else "")
    else:
        english = f"{day} {names['en']}" + (f" {year}" if year else "")
    after = f" {year}" if year else ""
    return {
        "en": english,
        "de": f"{day}. {names['de']}{after}",
        "fr": f"{'1er' if day == 1 else day} {names['fr']}{after}",
        "es": f"{day} de {names['es']}" + (f" de {year}" if year else ""),
    }


def ordinal(value: int) -> Figure:
    """A number with its ordinal mark: 21st is 21. in German, 21e in French, 21.º in Spanish."""
    ending = "th" if value % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return {"en": f"{value}{ending}", "de": f"{value}.", "fr": "1er" if value == 1 else f"{value}e", "es": f"{value}.º"}


def copied(text: str) -> Figure:
    """A span that all languages share."""
    return dict.fromkeys(LANGUAGES, text)


def copied_span(rng: random.Random) -> str:
    """A web address, an e-mail address, a path, a placeholder, a tag, a code or a mask."""
    word, other = (_letters(rng, rng.randint(2, 9)) for _ in range(2))
    return rng.choice(
        (
            lambda: f"https://{rng.choice(('', 'www.'))}{word}.{rng.choice(('com', 'org', 'net', 'de', 'io'))}/{other}",
            lambda: f"www.{word}.{rng.choice(('com', 'org', 'eu', 'fr', 'es'))}",
            lambda: f"{word}@{other}.{rng.choice(('com', 'org', 'net'))}",
            lambda: f"{word}.{other}{rng.randint(1, 99)}@example.{rng.choice(('com', 'org'))}",
            lambda: "{" + word + "}",
            lambda: "{" + rng.choice(("name", "user", "count", "date", "0", "1", "item", "user_name")) + "}",
            lambda: rng.choice(("%s", "%d", "%1$s", "$1", "{{" + word + "}}", "${" + word + "}", "%(" + word + ")s")),
            lambda: f"/{word}/{other}.{rng.choice(('txt', 'py', 'pdf', 'json'))}",
            lambda: f"{word}_{other}",
            lambda: f"#{word}",
            lambda: f"@{word}",
            lambda: f"{_letters(rng, rng.randint(1, 3)).upper()}-{rng.randint(10, 9999)}",
            lambda: rng.choice(MASKS),
            lambda: rng.choice(MASKS),
            lambda: rng.choice(MASKS),
        )
    )()


def _letters(rng: random.Random, length: int) -> str:
    return "".join(rng.choice(string.ascii_lowercase) for _ in range(length))


def _whole(rng: random.Random) -> int:
    """A whole number, small ones more often."""
    return rng.randrange(10 ** rng.choice((1, 2, 2, 3, 3, 4, 5, 6))) + 1


def _decimal(rng: random.Random) -> Figure:
    decimals = rng.choice(("1", "2", "2", "3"))
    return number(_whole(rng) - 1, "".join(rng.choice(string.digits) for _ in range(int(decimals))))


def _plain_or_decimal(rng: random.Random) -> Figure:
    return number(_whole(rng), grouped=rng.random() < 0.8) if rng.random() < 0.6 else _decimal(rng)


def _amount(rng: random.Random) -> Figure:
    cents = f"{rng.randrange(100):02}" if rng.random() < 0.6 else ""
    return amount(number(_whole(rng), cents), rng.choice(tuple(_CURRENCIES)))


def _time(rng: random.Random) -> Figure:
    minute = rng.choice((0, 15, 30, 45, rng.randrange(60), rng.randrange(60)))
    half_days = rng.choice((("a.m.", "p.m."), ("am", "pm"), ("AM", "PM"), None, None))
    return time_of_day(rng.randrange(24), minute, half_days=half_days)


def _date(rng: random.Random) -> Figure:
    year = rng.randint(1900, 2035) if rng.random() < 0.6 else None
    return date(rng.randint(1, 31), rng.randint(1, 12), year, month_first=rng.random() < 0.7)


def _unit(rng: random.Random) -> Figure:
    unit = rng.choice("km m cm mm kg g mg l ml km/h kWh GB MB kB GHz Hz V W kW m² °C °F".split())
    return with_unit(_plain_or_decimal(rng), unit, english_space=rng.random() < 0.7)


def _word(rng: random.Random) -> Figure:
    at = rng.randrange(len(NUMBER_WORDS["en"]))
    return {code: NUMBER_WORDS[code][at] for code in LANGUAGES}


def _weekday(rng: random.Random) -> Figure:
    at = rng.randrange(7)
    return {code: WEEKDAYS[code][at] for code in LANGUAGES}


def _month(rng: random.Random) -> Figure:
    at = rng.randrange(12)
    return {code: MONTHS[code][at] for code in LANGUAGES}


def _code(rng: random.Random) -> Figure:
    return copied(f"{rng.choice(string.ascii_uppercase)}{rng.randint(1, 999)}")


def _phone(rng: random.Random) -> Figure:
    groups = [str(rng.randrange(10 ** (n - 1), 10**n)) for n in (rng.randint(2, 4), 3, rng.randint(3, 4))]
    return copied(rng.choice(("", "+")) + rng.choice((" ", "-")).join(groups))


def _version(rng: random.Random) -> Figure:
    return copied(".".join(str(rng.randint(0, 30)) for _ in range(3)))


KINDS: dict[str, Callable[[random.Random], Figure]] = {
    "number": _plain_or_decimal,
    "count": lambda rng: number(_whole(rng) + 1, grouped=rng.random() < 0.8),
    "small": lambda rng: number(rng.randint(2, 99)),
    "decimal": _decimal,
    "amount": _amount,
    "percent": lambda rng: with_unit(_plain_or_decimal(rng), "%", english_space=rng.random() < 0.05),
    "time": _time,
    "date": _date,
    "unit": _unit,
    "word": _word,
    "weekday": _weekday,
    "month": _month,
    "year": lambda rng: copied(str(rng.randint(1700, 2040))),
    "ordinal": lambda rng: ordinal(rng.randint(2, 120)),
    "code": _code,
    "phone": _phone,
    "version": _version,
    "copy": lambda rng: copied(copied_span(rng)),
    "name": lambda rng: copied(rng.choice(NAMES)),
}
"""The kinds of figures, by the names of their places in frames."""


def sentence(language: str, rng: random.Random) -> Pair:
    """A sentence with figures, and its translation."""
    frame = rng.choice(FRAMES)
    source, target = frame["en"], frame[language]
    figures = {match[0]: KINDS[match[1]](rng) for match in _PLACE.finditer(source)}
    sides = _filled(source, figures, "en"), _filled(target, figures, language)
    texts = ["".join(text for text, _ in side) for side in sides]
    if language == "es":
        texts[1] = _ONE_O_CLOCK.sub(lambda match: f"{'es ' if match[1] else ''}la 1:", texts[1])
    links: list[tuple[int, int]] = []
    for place in figures:
        links += _links(*(_words_at(side, place) for side in sides))
    ends = [split_words(text) for text in texts]
    if ends[0][-1] == ends[1][-1] and ends[0][-1] in ".!?":
        links.append((len(ends[0]) - 1, len(ends[1]) - 1))
    return Pair(texts[0], texts[1], language, tuple(links))


def _filled(frame: str, figures: dict[str, Figure], code: str) -> list[tuple[str, str]]:
    """The frame's texts in order, each with the name of the place that it fills, "" for the frame's own."""
    parts, end = [], 0
    for match in _PLACE.finditer(frame):
        figure = figures[match[0]][code]
        if frame[match.end() :].startswith("."):
            figure = figure.removesuffix(".")  # the full stop of "p.m." ends a sentence too
        parts += [(frame[end : match.start()], ""), (figure, match[0])]
        end = match.end()
    return [*parts, (frame[end:], "")]


def _words_at(side: list[tuple[str, str]], place: str) -> dict[int, str]:
    """Position -> word, of a place."""
    at = 0
    for text, name in side:
        words = split_words(text)
        if name == place:
            return dict(enumerate(words, at))
        at += len(words)
    return {}


def _links(source: dict[int, str], target: dict[int, str]) -> list[tuple[int, int]]:
    """Equal words with each other, but for separators; the rest in order where as many are left, else each with each.

    Args:
        source, target: position -> word.
    """
    links, left, free = [], [], dict(target)
    for i, word in source.items():
        match = next((j for j, other in free.items() if other == word and word not in ".,"), None)
        if match is None:
            left.append(i)
        else:
            links.append((i, match))
            del free[match]
    if len(left) == len(free):
        return links + list(zip(left, free, strict=True))
    return links + [(i, j) for i in left for j in free]
