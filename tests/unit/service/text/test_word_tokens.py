"""Texts that are read word by word have the tokens that the tokenizer itself finds."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regard_service.bundle import Bundle, zoo_folder
from regard_service.domain.results import Token
from regard_service.text import word_tokens
from regard_service.text.tokenizer import encoded, load_tokenizer, tokens_of, unknown_id
from regard_service.text.word_tokens import WordTokens, reads_words_alone

BUNDLE = Bundle.load(zoo_folder() / "everyday")
TOKENIZER = load_tokenizer(BUNDLE, "tokenizer.json")
CONTENT: dict[str, Any] = json.loads(TOKENIZER.to_str())


def tokenized(text: str) -> list[Token]:
    found = encoded(TOKENIZER, text)
    return tokens_of(text, found.ids, found.tokens, found.offsets, unknown_id(TOKENIZER))


READER = WordTokens(TOKENIZER.to_str(), tokenized)
LOCAL = {"type": "WhitespaceSplit"}
WORDS = st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8), min_size=1)


@settings(deadline=None)
@given(WORDS)
def test_known_words_are_read_as_the_tokenizer_reads_them(words: list[str]) -> None:
    text = " ".join(words)
    expected = tokenized(text)
    assert READER.read(text) == expected
    assert READER.read(text) == expected  # now that all words are known


LONG = " ".join(600 * ["a"])


@pytest.mark.parametrize(
    "text", ["", " Yes", "Yes ", "Is  it?", "Is\tit?", "Où est-il ?", "\u2581Yes", "Is\u00a0it?", LONG]
)
def test_other_texts_are_for_the_tokenizer(text: str) -> None:
    assert READER.read(text) is None


def test_a_known_word_costs_no_call_of_the_tokenizer() -> None:
    texts: list[str] = []

    def noted(text: str) -> list[Token]:
        texts.append(text)
        return tokenized(text)

    reader = WordTokens(TOKENIZER.to_str(), noted)
    reader.read("Where is the book and the library?")
    num_new = len(texts)
    reader.read("Where is the library?")
    assert num_new == 6  # "the" came twice
    assert len(texts) == num_new


def test_no_more_words_are_kept_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_tokens, "MAX_WORDS", 3)
    reader = WordTokens(TOKENIZER.to_str(), tokenized)
    reader.read(" ".join(str(number) for number in range(50)) + " " + 40 * "a")
    assert len(reader._later) <= 3


@pytest.mark.parametrize(
    ("change", "is_exact"),
    [
        (lambda content: content, True),
        (lambda content: content | {"pre_tokenizer": LOCAL, "normalizer": None}, True),
        (lambda content: content | {"pre_tokenizer": None}, False),
        (lambda content: content | {"pre_tokenizer": {"type": "Metaspace", "split": False}}, False),
        (lambda content: content | {"pre_tokenizer": {"type": "ByteLevel"}}, False),
        (lambda content: content | {"normalizer": {"type": "Replace", "pattern": {"String": " a"}}}, False),
        (lambda content: content | {"normalizer": {"type": "Replace", "pattern": {"Regex": ". ."}}}, False),
        (lambda content: content | {"normalizer": {"type": "Prepend"}}, False),
        (lambda content: content | {"post_processor": {"type": "ByteLevel"}}, False),
        (lambda content: content | {"added_tokens": [{"content": "New York", "special": False}]}, False),
        (lambda content: content | {"model": {"type": "BPE", "dropout": 0.1}}, False),
    ],
)
def test_only_tokenizers_that_cut_at_spaces_first_are_trusted(
    change: Callable[[dict[str, Any]], dict[str, Any]], is_exact: bool
) -> None:
    assert reads_words_alone(change(CONTENT)) is is_exact
