"""Languages' codes in any spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.languages.matching import match

CODES = st.sampled_from(["de", "fr", "pt-BR", "zh-Hans", "deu_Latn", "en_XX", "letters", ""])


@pytest.mark.parametrize(
    ("code", "offered", "found"),
    [
        ("DE", ["de", "fr"], "de"),
        ("de-DE", ["de", "fr"], "de"),
        ("de_AT", ["fr", "de-DE"], "de-DE"),
        ("en-US", ["en"], "en"),
        ("pt", ["pt-BR", "es"], "pt-BR"),
        ("pt-BR", ["pt", "pt-BR"], "pt-BR"),
        ("PT-br", ["pt", "pt-BR"], "pt-BR"),
        ("pt-BR", ["pt-PT", "es"], "pt-PT"),
        ("de", ["deu_Latn", "fra_Latn"], "deu_Latn"),
        ("fr-CA", ["de_DE", "fr_XX"], "fr_XX"),
        ("no", ["nb"], "nb"),
        ("zh-TW", ["zh-Hans", "zh-Hant"], "zh-Hant"),
        ("zh-TW", ["zh-Hans"], None),
        ("uk", ["ru"], None),
        ("nl", ["de"], None),
        ("german", ["de"], None),
        ("Letters", ["letters", "phonemes"], "letters"),
        ("", ["de"], None),
        ("x" * 5000, ["de"], None),
        ("de\x00", ["de"], None),
    ],
)
def test_a_code_finds_the_models_own(code: str, offered: list[str], found: str | None) -> None:
    assert match(code, offered) == found


@given(st.text(max_size=20) | CODES, st.lists(CODES, max_size=4))
def test_any_text_is_a_code_or_none(code: str, offered: list[str]) -> None:
    found = match(code, offered)
    assert found is None or found in offered
    assert code not in offered or found == code
