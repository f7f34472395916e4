"""The language of a text, among given ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.languages.detection import NO_LANGUAGE, UNKNOWN, detect, other_language

SHIPPED = ("en", "de", "fr", "es")


@pytest.mark.parametrize(
    ("text", "offered", "code"),
    [
        ("The bus to the station leaves in ten minutes.", SHIPPED, "en"),
        ("Der Bus zum Bahnhof geht in zehn Minuten.", SHIPPED, "de"),
        ("Le bus part dans dix minutes.", SHIPPED, "fr"),
        ("El tren sale dentro de diez minutos.", SHIPPED, "es"),
        ("DER ZUG IST HEUTE WIEDER SEHR VOLL.", SHIPPED, "de"),
        ("Good morning", SHIPPED, "en"),
        ("Der Zug ist voll.", ("deu_Latn", "fra_Latn"), "deu_Latn"),
        ("O comboio parte às dez horas.", ("pt-BR", "en"), "pt-BR"),
        ("Der Bus zum Bahnhof geht in zehn Minuten.", ("en",), ""),
        ("Поезд отправляется через десять минут.", SHIPPED, ""),
        ("42", SHIPPED, ""),
        ("\N{GRINNING FACE}", SHIPPED, ""),
        ("", SHIPPED, ""),
        ("Hello there", ("letters", "phonemes"), ""),
    ],
)
def test_a_text_has_its_language(text: str, offered: tuple[str, ...], code: str) -> None:
    found = detect(text, offered)
    assert found.code == code
    assert (found.confidence > 0.5) == bool(code)


@given(st.text(), st.lists(st.sampled_from(["en", "de", "ja", "letters"]), max_size=3, unique=True))
def test_any_text_has_a_given_language_or_none(text: str, offered: list[str]) -> None:
    found = detect(text, offered)
    assert found == UNKNOWN or (found.code in offered and 0 < found.confidence <= 1)


@pytest.mark.parametrize(
    ("text", "source", "target", "other"),
    [
        ("Hund", "en", "de", "de"),
        ("Guten Tag", "en", "de-AT", "de-AT"),
        ("Ich gehe nach Hause.", "en", "fr", "de"),
        ("Поезд отправляется.", "en", "de", "ru"),
        ("Dogs bark.", "en", "de", ""),
        ("Ich gehe nach Hause.", "de", "en", ""),
        ("Hund", "xx-unknown", "de", ""),
        ("42", "en", "de", ""),
        ("Xqz vvv brr plonk dhfgk sdfj wieur sdfk qwei zxcv", "en", "de", NO_LANGUAGE),
    ],
)
def test_a_text_in_another_language_is_told(text: str, source: str, target: str, other: str) -> None:
    assert other_language(text, source, target) == other
