"""Numbers, amounts, percentages, times and dates: 300 sentences of this project, made from frames.

A figure is right if the output has it as the target language writes it; several ways may be right. Needs no data set.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality.task import Part, Task
from benchmarks.quality.translation import translations
from regard import Model

LANGUAGES = ("de", "fr", "es")
NUM_INPUTS = 300

_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}
_CURRENCIES = {
    "$": r"(\$|US-Dollar|dollars?|dólares|USD)",
    "€": r"(€|euros?|EUR)",
    "£": r"(£|Pfund|livres|libras|GBP)",
}
_PERCENT = r"(%|Prozent|pour cent|por ciento)"

_FRAMES = {
    "number": (
        "The factory produced {} bottles last year.",
        "He ran {} meters without a break.",
        "Our village had {} residents in the last census.",
        "I counted {} steps to the top of the tower.",
        "The library bought {} new magazines.",
        "They planted {} trees along the road.",
    ),
    "decimal": (
        "The earthquake had a magnitude of {}.",
        "On average, every family has {} pets.",
        "The lake is {} kilometers long.",
        "Multiply the value by {}.",
        "She scored {} points in the final round.",
    ),
    "amount": (
        "That comes to {}, please.",
        "The repair of the roof cost us {}.",
        "Can you lend me {} until tomorrow?",
        "He won {} in the lottery.",
        "A single room costs {} per night.",
        "They donated {} to the hospital.",
    ),
    "percent": (
        "Only {} of the voters agreed.",
        "The new law lowers taxes by {}.",
        "Oil now costs {} more than in spring.",
        "The humidity is {} today.",
    ),
    "time": (
        "The concert begins at {}.",
        "Her plane lands at {}.",
        "The doctor can see you at {} tomorrow.",
        "We had to be back at the hotel by {}.",
    ),
    "date": (
        "The contract ends on {}.",
        "The bridge was opened on {}.",
        "They got married on {}.",
        "The invoice was sent on {}.",
        "Our holidays begin on {}.",
    ),
}


@dataclass(frozen=True)
class Figure:
    """A figure in English, and a pattern of the ways to write it in each target language."""

    english: str
    patterns: dict[str, str]


class Figures(Task):
    """The share of the sentences whose figure is right."""

    name = "figures"
    title = "Numbers, amounts, percentages, times, dates"
    models = ("everyday",)
    num_beams = 4

    def parts(self, data: Path, model: Model, limit: int | None) -> Iterator[Part]:
        sentences = make_sentences()[:limit]
        texts = [text for text, _ in sentences]
        for language in LANGUAGES:
            if language in model.target_languages:
                patterns = [figure.patterns[language] for _, figure in sentences]
                yield Part("own", language, translations(texts, language, model.name), _scorer(patterns))


def _scorer(patterns: Sequence[str]) -> Callable[[Sequence[str]], dict[str, float]]:
    def score(outputs: Sequence[str]) -> dict[str, float]:
        right = [has_figure(output, pattern) for output, pattern in zip(outputs, patterns, strict=True)]
        return {"right": round(100 * sum(right) / len(right), 1)}

    return score


def has_figure(text: str, pattern: str) -> bool:
    """Whether a text has a figure, not as a part of a longer number; all kinds of spaces count as one."""
    plain = re.sub(r"\s+", " ", text)
    return re.search(rf"(?<![\d.,])(?<!\d ){pattern}(?![\d])(?![.,]\d)", plain, re.IGNORECASE) is not None


def make_sentences() -> list[tuple[str, Figure]]:
    """The sentences and their figures: always the same."""
    rng = random.Random(20)
    kinds = list(_FRAMES)
    made = []
    for number in range(NUM_INPUTS):
        kind = kinds[number % len(kinds)]
        figure = _MAKERS[kind](rng)
        text = rng.choice(_FRAMES[kind]).format(figure.english)
        made.append((text.replace("m..", "m."), figure))
    return made


def _number(whole: int, decimals: str = "") -> dict[str, str]:
    """Patterns of a number, thousands apart or not; "en" has no pattern but the number itself."""
    grouped = f"{whole:,}"
    tail = f",{decimals}" if decimals else ""
    dotted, spaced = grouped.replace(",", r"\."), grouped.replace(",", " ")
    either = dict.fromkeys(("de", "es"), f"({whole}|{spaced}|{dotted}){tail}")
    return {"en": grouped + (f".{decimals}" if decimals else ""), "fr": f"({whole}|{spaced}){tail}", **either}


def _whole(rng: random.Random) -> int:
    return rng.randrange(10 ** (digits := rng.randint(1, 6)) // 10, 10**digits) + 2


def _make_number(rng: random.Random) -> Figure:
    return _figure(_number(_whole(rng)))


def _make_decimal(rng: random.Random) -> Figure:
    return _figure(
        _number(_whole(rng), f"{rng.randrange(1, 10)}" if rng.random() < 0.6 else f"{rng.randrange(100):02}")
    )


def _make_amount(rng: random.Random) -> Figure:
    sign = rng.choice(list(_CURRENCIES))
    numbers = _number(_whole(rng), f"{rng.randrange(100):02}" if rng.random() < 0.6 else "")
    patterns = {
        code: rf"({re.escape(sign)} ?{number}|{number} ?(de )?{_CURRENCIES[sign]})" for code, number in numbers.items()
    }
    return _figure({**patterns, "en": sign + numbers["en"]})


def _make_percent(rng: random.Random) -> Figure:
    numbers = _number(rng.randint(2, 99), f"{rng.randrange(1, 10)}" if rng.random() < 0.5 else "")
    return _figure({code: f"{number} ?{_PERCENT}" for code, number in numbers.items()} | {"en": numbers["en"] + "%"})


def _make_time(rng: random.Random) -> Figure:
    hour, minute = rng.randint(1, 23), rng.randrange(1, 60)
    twelve = (hour - 1) % 12 + 1
    is_half_day = rng.random() < 0.6
    half = "a.m." if hour < 12 else "p.m."
    half_es = r"a\. ?m\." if hour < 12 else r"p\. ?m\."
    return _figure(
        {
            "en": f"{twelve}:{minute:02} {half}" if is_half_day else f"{hour}:{minute:02}",
            "de": rf"0?{hour}[:.]{minute:02}",
            "fr": rf"0?{hour}( ?h ?|:){minute:02}",
            "es": rf"(0?{hour}[:.]{minute:02}|{twelve}[:.]{minute:02} {half_es})",
        }
    )


def _make_date(rng: random.Random) -> Figure:
    day, month = rng.randint(2, 28), rng.randrange(12)
    year = rng.randint(1950, 2030) if rng.random() < 0.6 else None
    names = {code: every.split()[month] for code, every in _MONTHS.items()}
    after = f" {year}" if year else ""
    english = f"{names['en']} {day}" + (f", {year}" if year else "")
    return _figure(
        {
            "en": english if rng.random() < 0.7 else f"{day} {names['en']}{after}",
            "de": rf"{day}\. {names['de']}{after}",
            "fr": f"{day} {names['fr']}{after}",
            "es": f"{day} de {names['es']}" + (f" del? {year}" if year else ""),
        }
    )


def _figure(patterns: dict[str, str]) -> Figure:
    return Figure(patterns["en"], {code: patterns[code] for code in LANGUAGES})


_MAKERS: dict[str, Callable[[random.Random], Figure]] = {
    "number": _make_number,
    "decimal": _make_decimal,
    "amount": _make_amount,
    "percent": _make_percent,
    "time": _make_time,
    "date": _make_date,
}
