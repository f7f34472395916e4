"""Sentences with places for figures, in four languages; `figures.py` fills them.

A place names its kind in braces; a digit tells places of the same kind apart.
"""

from pathlib import Path

LANGUAGES = ("en", "de", "fr", "es")

MONTHS = {
    "en": "January February March April May June July August September October November December".split(),
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(),
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split(),
}
WEEKDAYS = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag".split(),
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche".split(),
    "es": "lunes martes miércoles jueves viernes sábado domingo".split(),
}
NUMBER_WORDS = {  # from two: "one" has genders
    "en": "two three four five six seven eight nine ten eleven twelve".split(),
    "de": "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf".split(),
    "fr": "deux trois quatre cinq six sept huit neuf dix onze douze".split(),
    "es": "dos tres cuatro cinco seis siete ocho nueve diez once doce".split(),
}

_LINES = (Path(__file__).parent / "figure_frames.txt").read_text("utf-8")

FRAMES = [dict(zip(LANGUAGES, line.split(" | "), strict=True)) for line in _LINES.strip().splitlines()]
"""Language code -> sentence, for each frame."""
