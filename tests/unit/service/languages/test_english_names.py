"""Names of languages in English."""

import pytest

from regard_service.languages.detection import load_detector
from regard_service.languages.english_names import english_name


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("de", "German"),
        ("DE", "German"),
        ("pt-BR", "Portuguese (BR)"),
        ("deu_Latn", "German"),
        ("zh-Hans", "Chinese (Hans)"),
        ("nb", "Norwegian Bokmål"),
        ("tlh", "tlh"),
        ("reversed", "reversed"),
        ("no language", "no language"),
    ],
)
def test_a_code_has_a_name_or_stands_for_itself(code: str, name: str) -> None:
    assert english_name(code) == name


def test_every_language_of_two_letters_that_the_detector_knows_has_a_name() -> None:
    codes = [code for code in load_detector().labels if len(code) == 2]
    assert len(codes) > 80
    assert [code for code in codes if english_name(code) == code] == []
