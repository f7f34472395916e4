"""Which texts a vocabulary lacks characters of: of pieces with bytes, with an unknown piece, of bytes, of words."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from regard_service.text.tokenizer import Alphabet

LETTERS = "▁abcdefghijklmnopqrstuvwxyz.,é"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def of_pieces() -> Tokenizer:
    """Returns a tokenizer whose model reads unknown characters as one piece."""
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), *((letter, -1.0) for letter in LETTERS)], unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


def with_bytes() -> Tokenizer:
    """Returns a tokenizer whose model reads unknown characters byte by byte."""
    pieces = [("<unk>", 0.0), *((piece, -1.0) for piece in [*LETTERS, *BYTES])]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


def byte_level() -> Tokenizer:
    """Returns a tokenizer whose vocabulary is bytes, as of GPT-2."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({piece: index for index, piece in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def of_bytes() -> Tokenizer:
    """Returns a tokenizer that reads everything byte by byte, as of ByT5."""
    return Tokenizer(models.BPE({piece: index for index, piece in enumerate(BYTES)}, [], byte_fallback=True))


def of_words() -> Tokenizer:
    """Returns a tokenizer of whole words."""
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "dog": 1}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


@pytest.mark.parametrize("tokenizer", [of_pieces(), with_bytes()], ids=["unknown", "bytes"])
def test_characters_outside_of_the_vocabulary_are_lacking(tokenizer: Tokenizer) -> None:
    alphabet = Alphabet(tokenizer)
    assert [text for text in ("dog", "café", "a b", "你", "dög", "#", "a < b", "") if alphabet.lacks(text)] == [
        "你",
        "dög",
        "#",
        "a < b",
    ]


@pytest.mark.parametrize(
    "tokenizer", [byte_level(), of_bytes(), of_words()], ids=["byte-level", "of bytes", "of words"]
)
def test_vocabularies_of_bytes_and_of_words_lack_nothing(tokenizer: Tokenizer) -> None:
    alphabet = Alphabet(tokenizer)
    assert not any(map(alphabet.lacks, ("dog", "你", "#", "\ue000", "cat")))
