"""A vocabulary that grows: earlier texts keep their pieces unless a new merge joins them; decoding restores texts."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from regard_models.recipes.extended_vocabulary import Merge, extend_embedding, extend_tokenizer, more_merges
from regard_models.recipes.tokenizer import train_tokenizer

OLD = ["the house is old", "the man sees the house", "a house and a man"] * 4
NEW = ["OPEN THE DOCUMENT", "THE DOCUMENT IS OPEN", "the document, 1234"] * 4
MASKS = "\ue000\ue001"


@pytest.fixture(scope="module")
def base() -> Tokenizer:
    return train_tokenizer([*OLD, "ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789,()"], vocab_size=345, language_tokens=["<de>"])


@pytest.fixture(scope="module")
def merges(base: Tokenizer) -> list[Merge]:
    return more_merges(base, NEW, 30)


@pytest.fixture(scope="module")
def extended(base: Tokenizer, merges: list[Merge]) -> Tokenizer:
    return extend_tokenizer(base, merges, MASKS)


def test_new_texts_have_fewer_pieces_and_frequent_words_one(base: Tokenizer, extended: Tokenizer) -> None:
    before, after = (len(tokenizer.encode("OPEN THE DOCUMENT").ids) for tokenizer in (base, extended))
    assert (before, after) == (before, 3)
    assert before > 10
    assert extended.encode("1234").tokens == ["▁", "1", "2", "3", "4"]  # digits stay alone


def test_earlier_pieces_keep_their_ids_and_earlier_texts_their_pieces(base: Tokenizer, extended: Tokenizer) -> None:
    ids = extended.get_vocab()
    assert all(ids[piece] == number for piece, number in base.get_vocab().items())
    assert [extended.encode(text).ids for text in OLD] == [base.encode(text).ids for text in OLD]


def test_masks_are_single_pieces_wherever_they_stand(extended: Tokenizer) -> None:
    assert extended.encode("a \ue001, (\ue000)").tokens == ["▁a", "▁", "\ue001", ",", "▁", "(", "\ue000", ")"]


@given(st.text(st.characters(codec="utf-8", exclude_characters="▁"), max_size=30))
def test_decoding_restores_texts(text: str) -> None:
    base = train_tokenizer(OLD, vocab_size=330, language_tokens=["<de>"])
    extended = extend_tokenizer(base, more_merges(base, NEW, 5), MASKS)
    plain = base.normalizer.normalize_str(text)
    assert extended.decode(extended.encode(text).ids, skip_special_tokens=False) == plain


def test_a_merged_piece_starts_as_the_mean_of_its_parts(
    base: Tokenizer, extended: Tokenizer, merges: list[Merge]
) -> None:
    weights = torch.randn(base.get_vocab_size(), 4, generator=torch.Generator().manual_seed(0))
    embedding = extend_embedding(weights, base, extended, merges)
    assert embedding.shape == (extended.get_vocab_size(), 4)
    assert torch.equal(embedding[: len(weights)], weights)
    ids = extended.get_vocab()
    for first, second in merges:
        mean = (embedding[ids[first]] + embedding[ids[second]]) / 2
        torch.testing.assert_close(embedding[ids[first + second]], mean)
    torch.testing.assert_close(embedding[ids["\ue000"]], weights.mean(0))
