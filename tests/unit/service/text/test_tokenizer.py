"""How a tokenizer reads a text."""

from typing import Any

import pytest
from tokenizers import Tokenizer

from regard_service.bundle import Bundle, zoo_folder
from regard_service.text.tokenizer import MAX_CHARACTERS_HOLDING, encoded, load_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    loaded = load_tokenizer(Bundle.load(zoo_folder() / "everyday"), "tokenizer.json")
    assert isinstance(loaded, Tokenizer)
    return loaded


@pytest.mark.parametrize("text", ["", "The house.", "The house. " * 1000, "\U0001f1e9" * 5000])
def test_long_texts_have_the_same_tokens(tokenizer: Tokenizer, text: str) -> None:
    expected, found = tokenizer.encode(text, add_special_tokens=False), encoded(tokenizer, text)
    assert (found.ids, found.offsets, found.tokens) == (expected.ids, expected.offsets, expected.tokens)


def test_long_texts_are_read_without_the_interpreter() -> None:
    """The library releases it for lists of texts."""

    class Reads:
        def encode(self, text: str, add_special_tokens: bool) -> str:
            return "held"

        def encode_batch(self, texts: list[str], add_special_tokens: bool) -> list[str]:
            return ["released"] * len(texts)

    tokenizer: Any = Reads()
    read: list[Any] = [encoded(tokenizer, "x" * (MAX_CHARACTERS_HOLDING + more)) for more in (0, 1)]
    assert read == ["held", "released"]
