"""Figures in four languages."""

import random
import re

import pytest

from regard_models.recipes.entries import ENTRIES, entry
from regard_models.recipes.figure_frames import FRAMES
from regard_models.recipes.figures import (
    KINDS,
    LANGUAGES,
    MASKS,
    amount,
    copied_span,
    date,
    number,
    ordinal,
    sentence,
    time_of_day,
    with_unit,
)
from regard_models.recipes.word_links import split_words


def test_numbers_have_the_separators_of_each_language() -> None:
    assert number(1024, "5") == {"en": "1,024.5", "de": "1.024,5", "fr": "1 024,5", "es": "1.024,5"}
    assert set(number(1024, grouped=False).values()) == {"1024"}
    assert amount(number(3, "50"), "$") == {"en": "$3.50", "de": "3,50 $", "fr": "3,50 $", "es": "3,50 $"}
    assert with_unit(number(12, "5"), "%", english_space=False)["en"] == "12.5%"
    assert with_unit(number(12, "5"), "%", english_space=False)["de"] == "12,5 %"


def test_times_count_24_hours_where_english_counts_12() -> None:
    half_days = ("a.m.", "p.m.")
    assert time_of_day(15, 30, half_days=half_days) == {
        "en": "3:30 p.m.", "de": "15:30 Uhr", "fr": "15 h 30", "es": "15:30",
    }  # fmt: skip
    assert [time_of_day(hour, 5, half_days=half_days)["en"] for hour in (0, 11, 12, 23)] == [
        "12:05 a.m.", "11:05 a.m.", "12:05 p.m.", "11:05 p.m.",
    ]  # fmt: skip
    assert time_of_day(9, 0)["fr"] == "9 h"


def test_dates_name_their_month() -> None:
    assert date(3, 5, 2021, month_first=True) == {
        "en": "May 3, 2021", "de": "3. Mai 2021", "fr": "3 mai 2021", "es": "3 de mayo de 2021",
    }  # fmt: skip
    assert date(1, 8, None, month_first=False) == {
        "en": "1 August", "de": "1. August", "fr": "1er août", "es": "1 de agosto",
    }  # fmt: skip


@pytest.mark.parametrize(("value", "english"), [(2, "2nd"), (3, "3rd"), (11, "11th"), (21, "21st"), (112, "112th")])
def test_ordinals(value: int, english: str) -> None:
    assert ordinal(value)["en"] == english


def test_frames_have_the_same_places_in_every_language() -> None:
    for frame in FRAMES:
        places = [sorted(re.findall(r"\{[a-z]+\d?\}", frame[code])) for code in LANGUAGES]
        assert all(each == places[0] for each in places)
        assert {place.strip("{}0123456789") for place in places[0]} <= set(KINDS)


def test_every_mark_of_a_frame_stands_as_its_language_writes_it() -> None:
    for frame in FRAMES:
        assert not re.search(r"\S[?!:;](\s|$)", frame["fr"].replace("{count}:", "")), frame["fr"]
        assert frame["es"].count("¿") == frame["es"].count("?")
        assert frame["es"].count("¡") == frame["es"].count("!")


def test_sentences_hold_their_figures_and_links() -> None:
    rng = random.Random(3)
    for _ in range(2000):
        pair = sentence(rng.choice(LANGUAGES[1:]), rng)
        assert not re.search(r"\.\.|\{(number|amount|time|unit|word|small|year)\d?\}", pair.source + pair.target)
        source, target = split_words(pair.source), split_words(pair.target)
        assert all(i < len(source) and j < len(target) for i, j in pair.links)
        assert not re.search(r"\b(son )?las 1:", pair.target)


def test_the_digits_of_a_figure_are_linked_to_themselves() -> None:
    rng = random.Random(0)
    num_linked = 0
    for _ in range(500):
        pair = sentence("de", rng)
        source, target = split_words(pair.source), split_words(pair.target)
        for i, j in pair.links:
            if len(source[i]) > 2 and source[i].isdigit() and source[i] in target:
                num_linked += 1
                assert target[j] == source[i], pair
    assert num_linked > 100


def test_copied_spans_are_one_text_and_masks_are_among_them() -> None:
    rng = random.Random(5)
    spans = [copied_span(rng) for _ in range(3000)]
    assert set(MASKS) <= set(spans)
    assert any("@" in span for span in spans)
    assert any(span.startswith("https://") for span in spans)
    assert not any(re.search(r"\s", span) for span in spans)


def test_entries_have_four_languages_and_no_repeats() -> None:
    assert all(len(line) == 4 and all(line) for line in ENTRIES)
    assert len({line[0] for line in ENTRIES}) == len(ENTRIES)
    assert entry("es", random.Random(2)).language == "es"
