"""Words that only one of the languages has."""

import pytest

from regard_service.languages.common_words import has_common_word


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is the dog?", "en"),
        ("I DON’T care.", "en-US"),
        ("Der Hund ist hier.", "de"),
        ("Où est le chien ?", "fr"),
        ("¿Dónde está el perro?", "es"),
        ("Ela não está em casa.", "pt"),
    ],
)
def test_a_sentence_has_a_word_of_its_language(text: str, language: str) -> None:
    assert has_common_word(text, language)


@pytest.mark.parametrize(
    ("text", "language"),
    [("Der Hund ist hier.", "en"), ("Où est le chien ?", "en"), ("Where is the dog?", "de"), ("Ich bin müde.", "fr")],
)
def test_a_sentence_has_none_of_another(text: str, language: str) -> None:
    assert not has_common_word(text, language)


def test_words_that_two_languages_have_tell_nothing() -> None:
    assert not has_common_word("in die", "de")
    assert not has_common_word("Hund", "en")
    assert not has_common_word("the", "xx")
    assert not has_common_word("", "en")
