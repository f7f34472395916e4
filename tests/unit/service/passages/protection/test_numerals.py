"""Numbers and times of languages: values and forms."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.passages.protection.numerals import Clock, clocks, localized, localized_time, marks_of, value


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("42", "en", "42"),
        ("1,024", "en", "1024"),
        ("1,024.5", "en", "1024.5"),
        ("1.024,5", "de", "1024.5"),
        ("1.024", "de", "1024"),
        ("1.024", "en", "1.024"),
        ("1,024", "de", "1.024"),
        ("3,50", "en", "3.5"),
        ("3.50", "de", "3.5"),
        ("0,125", "en", "0.125"),
        ("1\u202f024", "fr", "1024"),
        ("1 024,5", "fr", "1024.5"),
        ("1,000,000", "en", "1000000"),
        ("1.000.000", "en", "1000000"),
        ("1'000", "de-CH", "1000"),
        ("٤٢", "ar", "42"),
    ],
)
def test_a_number_has_the_value_that_its_language_gives_it(text: str, language: str, expected: str) -> None:
    assert value(text, marks_of(language)) == Decimal(expected)


@pytest.mark.parametrize("text", ["", "abc", "1a", "1..2", ",", "1,"])
def test_what_is_no_number_has_no_value(text: str) -> None:
    assert value(text, marks_of("en")) is None


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("1,024.5", "de", "1.024,5"),
        ("1,024", "pt-BR", "1.024"),
        ("1024", "de", "1024"),
        ("3.50", "de", "3,50"),
        ("1,234,567", "fr", "1\u202f234\u202f567"),
        ("1,024.5", "ja", "1,024.5"),
        ("3.50", "", "3.50"),
    ],
)
def test_a_number_takes_the_form_of_the_target(text: str, language: str, expected: str) -> None:
    assert localized(text, marks_of("en"), marks_of(language)) == expected


@given(st.integers(0, 10**12), st.integers(0, 999), st.sampled_from(["en", "de", "fr", "pt", "ru", "zh"]))
def test_another_form_has_the_same_value(whole: int, fraction: int, language: str) -> None:
    for text in (str(whole), f"{whole:,}", f"{whole:,}.{fraction}"):
        other = localized(text, marks_of("en"), marks_of(language))
        assert value(other, marks_of(language)) == value(text, marks_of("en"))


def test_a_time_can_be_of_either_half_of_the_day() -> None:
    assert clocks("5:30 pm") == {Clock(17, 30)}
    assert clocks("12 a.m.") == {Clock(0, 0)}
    assert clocks("5:30") == {Clock(5, 30), Clock(17, 30)}
    assert clocks("17.30") == {Clock(17, 30)}
    assert clocks("17h30") == {Clock(17, 30)}
    assert clocks("25:00") == clocks("noon") == frozenset()


def test_a_language_without_am_and_pm_gets_the_hours_of_the_day() -> None:
    assert localized_time("5:30 pm", "de") == "17:30"
    assert localized_time("7 a.m.", "pt") == "7:00"
    assert localized_time("5:30 pm", "en") == "5:30 pm"
    assert localized_time("5:30", "de") == "5:30"
