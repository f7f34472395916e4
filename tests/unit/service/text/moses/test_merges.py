"""subword-nmt's merges: the pieces of its own code."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.text.moses.merges import Merges
from tests.unit.export.subword_checkpoints import apply_bpe

_SYMBOLS = st.sampled_from(["a", "b", "c", "aa", "ab", "bc", "abc", "a</w>", "b</w>", "ab</w>", "bc</w>", "</w>"])


@given(
    st.lists(st.tuples(_SYMBOLS, _SYMBOLS), min_size=1, max_size=12),
    st.text("abc", min_size=1, max_size=12),
    st.sampled_from(["0.1", "0.2"]),
)
def test_the_pieces_of_subword_nmt(pairs: list[tuple[str, str]], word: str, version: str) -> None:
    lines = "".join(f"{first} {second}\n" for first, second in pairs)
    theirs = apply_bpe.BPE(io.StringIO(f"#version: {version}\n{lines}")).segment_tokens([word])
    *first, last = Merges(pairs, version).cut(word)
    assert [*(f"{piece}@@" for piece in first), last] == theirs


def test_a_word_as_long_as_a_text() -> None:
    """Each merge in a pass over the word would take hours."""
    assert Merges([("a", "a"), ("aa", "aa")], "0.2").cut("a" * 100_001) == (*["aaaa"] * 25_000, "a")


def test_an_unknown_version_is_named() -> None:
    with pytest.raises(ValueError, match=r"version 0\.3 of subword-nmt; known are 0\.1, 0\.2"):
        Merges([], "0.3")
