"""Moses' tokens: those of sacremoses, each with its place in the text."""

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from regard_service.text.moses.normalization import normalized
from regard_service.text.moses.traced import TracedText
from regard_service.text.moses.words import MosesWords
from tests.unit.service.text.moses.odd_texts import LANGUAGES, TEXTS, moses, reading


@cache
def _theirs(language: str) -> tuple:
    return moses.MosesPunctNormalizer(language), moses.MosesTokenizer(language)


@cache
def _ours(language: str) -> MosesWords:
    return MosesWords(reading(language))


def _cut(text: str, language: str) -> list[TracedText]:
    return _ours(language).cut(normalized(TracedText.unchanged(text), language))


@given(TEXTS, st.sampled_from(LANGUAGES))
@example("Mr. Smith's No. 5 (U.S.) said: “it's…” etc.'", "en")
@example("L'eau, c'est 1,5 l ; d'accord.'", "fr")
def test_the_tokens_of_sacremoses(text: str, language: str) -> None:
    normalizer, tokenizer = _theirs(language)
    normal = normalized(TracedText.unchanged(text), language)
    assert normal.text == normalizer.normalize(text)
    assert [word.text for word in _ours(language).cut(normal)] == tokenizer.tokenize(normal.text)


@given(TEXTS, st.sampled_from(LANGUAGES))
def test_tokens_stand_for_ranges_of_the_text_in_order(text: str, language: str) -> None:
    ranges = [span for word in _cut(text, language) for span in zip(word.starts, word.ends, strict=True)]
    assert all(0 <= start < end <= len(text) for start, end in ranges)
    assert all(one[0] <= two[0] and one[1] <= two[1] for one, two in pairwise(ranges))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I can't (now).", ["I", "can", "'t", "(", "now", ")", "."]),
        ("“Yes…”  <b>", ["“", "Yes", "…", "”", "<", "b", ">"]),
        ("He said “no”.", ["He", "said", "“", "no", "”.", "”."]),  # which change their places
        ("5\xa0% of 3\xa0000", ["5", "%", "of", "3\xa0000"]),
    ],
)
def test_the_text_of_each_token(text: str, expected: list[str]) -> None:
    assert [text[word.starts[0] : word.ends[-1]] for word in _cut(text, "en")] == expected


@pytest.mark.parametrize("part", [".", "(", " ", '"', ".'", "a"])
def test_long_runs_take_time_in_proportion(part: str) -> None:
    """With time that grows by the square, they take hours. No character but spaces is lost."""
    text = part * 20_000
    read = {
        place
        for word in _cut(text, "de")
        for span in zip(word.starts, word.ends, strict=True)
        for place in range(*span)
    }
    assert read == {place for place, character in enumerate(text) if character != " "}
