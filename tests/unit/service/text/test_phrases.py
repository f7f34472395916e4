"""Phrases as tokens of a target, and what its tokens are in a text."""

import pytest

from regard_service.bundle import Bundle, zoo_folder
from regard_service.text.phrases import PhraseWriter, UnwritablePhrase
from regard_service.text.writing import TargetWriter

WRITER = TargetWriter(Bundle.load(zoo_folder() / "everyday"))
PHRASES = PhraseWriter(WRITER, WRITER.encode)


@pytest.mark.parametrize("phrase", ["Haus", "ein großes Haus", "C'est-à-dire", "犬", "(x)", "50 %", "é"])
def test_tokens_give_the_phrase_back(phrase: str) -> None:
    assert WRITER.text_of(PHRASES.tokens(phrase)) == phrase
    before = PHRASES.tokens("(")
    assert WRITER.text_of(before + PHRASES.tokens(phrase, is_glued=True)) == "(" + phrase


def test_what_the_tokenizer_changes_is_refused() -> None:
    with pytest.raises(UnwritablePhrase, match="'a  b' becomes 'a b'"):
        PHRASES.tokens("a  b")


def test_what_tokens_are_in_a_text() -> None:
    spelling = PHRASES.spelling
    assert len(spelling.continues) == len(spelling.opens) == WRITER.vocab_size
    first, *others = PHRASES.tokens("Donaudampfschifffahrt")
    assert not spelling.continues[first]
    assert others
    assert all(spelling.continues[token] for token in others)
    assert spelling.opens[PHRASES.tokens("x (")[-1]]
    assert not spelling.opens[PHRASES.tokens("x )")[-1]]
    assert spelling.opens[PHRASES.tokens("犬")[0]]  # a space by itself
    assert spelling.closes[PHRASES.tokens("Haus.")[-1]]
    assert not any(spelling.continues[token] for token in PHRASES.tokens("a, b!")[1:2])
