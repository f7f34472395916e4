"""Dates with the name of a month: which are found, and how seven languages write them."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.passages.protection.dates import (
    Date,
    dates,
    days_of_week,
    knows_dates,
    places_of_date,
    read_date,
    write_date,
)
from regard_service.passages.protection.options import ProtectionOptions
from regard_service.passages.protection.protect import protect
from tests.unit.service.passages.protection.test_protect import piecewise

LANGUAGES = ("en", "de", "fr", "es", "pt", "it", "nl")
some_dates = st.builds(
    Date, st.integers(1, 31), st.integers(1, 12), st.one_of(st.just(0), st.integers(1100, 2090)), st.just("")
)


@given(some_dates, st.sampled_from(LANGUAGES))
def test_what_is_written_is_read(date: Date, language: str) -> None:
    written = write_date(date, language)
    assert read_date(written, language) == date
    text = f"xx {written} yy"
    assert [text[slice(*span)] for span in dates(text, language)] == [written]


@given(st.integers(1, 12), st.integers(1100, 2090), st.sampled_from(LANGUAGES))
def test_months_of_a_year_are_dates(month: int, year: int, language: str) -> None:
    date = Date(0, month, year)
    assert read_date(write_date(date, language), language) == date


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("on March 15, 2024, and 5 May", ["March 15, 2024", "5 May"]),
        ("the 3rd of June 1999 or Sept. 5, 2020", ["the 3rd of June 1999", "Sept. 5, 2020"]),
        ("on Monday, March 3, or in May 2020", ["Monday, March 3", "May 2020"]),
        ("May I come? In March. On 3 hills. March 10% of it.", []),
        ("12.3 May 5:30 on 3.5 March", []),
        ("March 32 and 40 May", []),
    ],
)
def test_dates_of_english(text: str, found: list[str]) -> None:
    assert [text[slice(*span)] for span in dates(text, "en")] == found


@pytest.mark.parametrize(("source", "target"), list(product(LANGUAGES, LANGUAGES)))
def test_every_stand_in_is_found_again(source: str, target: str) -> None:
    for number, day in enumerate(days_of_week(source)):
        written = f"x {days_of_week(target)[number]}, y"
        (span,) = places_of_date(day, source, written, target)
        assert written[slice(*span)] == days_of_week(target)[number]


@pytest.mark.parametrize(
    ("language", "written", "expected"),
    [
        ("de", "Montag", "15. März 2024"),
        ("fr", "lundi", "le 15 mars 2024"),
        ("fr", "Le lundi", "Le 15 mars 2024"),
        ("fr", "de lundi", "du 15 mars 2024"),
        ("es", "el lunes", "el 15 de marzo de 2024"),
        ("es", "Lunes", "El 15 de marzo de 2024"),
        ("pt", "na segunda-feira", "em 15 de março de 2024"),
        ("pt", "Na segunda", "Em 15 de março de 2024"),
        ("it", "lunedì", "il 15 marzo 2024"),
        ("nl", "maandag", "15 maart 2024"),
        ("en", "Monday", "March 15, 2024"),
    ],
)
def test_a_date_has_the_words_that_its_language_wants(language: str, written: str, expected: str) -> None:
    text = f"x {written} y"
    (span,) = places_of_date("Montag", "de", text, language)
    assert text[slice(*span)] == written
    assert write_date(Date(15, 3, 2024), language, written) == expected


@pytest.mark.parametrize(
    ("text", "read", "written", "expected"),
    [
        ("It ends on March 15, 2024.", "It ends on Monday.", "Es endet am Montag.", "Es endet am 15. März 2024."),
        ("It ends on Friday, May 3.", "It ends on Friday.", "Es endet am Freitag.", "Es endet am Freitag, 3. Mai."),
        ("He came in March 2024.", "He came in 2015.", "Er kam 2015.", "Er kam im März 2024."),
        ("He came in March 2024.", "He came in 2015.", "Er kam im Jahr 2015.", "Er kam im März 2024."),
        ("Since March 2024 he works.", "Since 2015 he works.", "Er arbeitet seit 2015.", "Er arbeitet seit März 2024."),
        ("From May 3 to May 5.", "From Monday to Tuesday.", "Von Montag bis Dienstag.", "Von 3. Mai bis 5. Mai."),
        ("On Monday we go on May 5.", "On Monday we go on Tuesday.", "Am Montag gehen wir am Dienstag.", None),
    ],
)
def test_a_day_stands_for_a_date(text: str, read: str, written: str, expected: str | None) -> None:
    protected = protect(text, ProtectionOptions("en", "de"))
    assert protected.edited.text == read
    expected = expected or "Am Montag gehen wir am 5. Mai."
    assert protected.restore(piecewise(read, written, [])).target == expected


def test_dates_stay_in_languages_that_are_not_known() -> None:
    assert not knows_dates("en", "ja")
    protected = protect("It ends on March 15.", ProtectionOptions("en", "ja"))
    assert "March" in protected.edited.text


def test_the_sign_of_a_currency_stands_where_the_language_has_it() -> None:
    for language, expected in {"de": "Es 3,50\u00a0$ x.", "pt": "Es $3,50 x."}.items():
        protected = protect("It $3.50 x.", ProtectionOptions("en", language))
        assert protected.restore(piecewise(protected.edited.text, "Es 45 x.", [])).target == expected
    protected = protect("Es kostet 3,50 €.", ProtectionOptions("de", "en"))
    assert protected.restore(piecewise(protected.edited.text, "It costs 45.", [])).target == "It costs €3.50."


def test_a_currency_is_written_once() -> None:
    protected = protect("It costs $3.50.", ProtectionOptions("en", "fr"))
    written = "Cela coûte 45 dollars."
    assert protected.restore(piecewise(protected.edited.text, written, [])).target == "Cela coûte 3,50\u00a0$."
