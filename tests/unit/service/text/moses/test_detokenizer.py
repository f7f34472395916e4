"""Moses' tokens as text: that of sacremoses."""

from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from regard_service.text.moses.detokenizer import MosesDetokenizer, Spacing, unescaped
from tests.unit.service.text.moses.odd_texts import LANGUAGES, TEXTS, moses, writing


@cache
def _theirs(language: str) -> tuple[Any, Any, Any]:
    return moses.MosesPunctNormalizer(language), moses.MosesTokenizer(language), moses.MosesDetokenizer(language)


def _written(words: list[str], language: str) -> str:
    detokenizer, spacing, text = MosesDetokenizer(writing(language)), Spacing(), ""
    for word in map(unescaped, words):
        text += detokenizer.space(word, spacing) + word
        spacing = detokenizer.after(word, spacing)
    return text


@given(TEXTS, st.sampled_from(LANGUAGES))
def test_the_text_of_sacremoses(text: str, language: str) -> None:
    normalizer, tokenizer, detokenizer = _theirs(language)
    words = tokenizer.tokenize(normalizer.normalize(text))
    if language == "cs":  # it applies a rule of numbers to the last words of the text: another word stands there
        words.append("x")
    assert _written(words, language) == detokenizer.detokenize(words)


def test_quotation_marks_open_and_close_in_turn() -> None:
    words = ["&quot;", "Yes", "&quot;", ",", "said", "&quot;", "no", "&quot;", "."]
    assert _written(words, "en") == '"Yes", said "no".'
    assert _written(["„", "Ano", "“", ",", "„", "ne", "“"], "cs") == "„Ano“, „ne“"
    assert _written(["l&apos;", "eau", "!"], "fr") == "l'eau !"
