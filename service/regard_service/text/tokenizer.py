"""A bundle's tokenizer, for reading and writing."""

from tokenizers import Tokenizer

from regard_service.bundle import Bundle
from regard_service.domain.results import Span


def load_tokenizer(bundle: Bundle, file: str) -> Tokenizer:
    """Reads a bundle's tokenizer. Special tokens that a user types are text like any other."""
    tokenizer = Tokenizer.from_file(str(bundle.path(file)))
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """Returns the token that stands for words outside of the vocabulary, or None."""
    piece = getattr(tokenizer.model, "unk_token", None)
    return None if piece is None else tokenizer.token_to_id(piece)


def without_leading_space(text: str, start: int, end: int) -> Span:
    """Returns the span [start, end) of a text without the white space that it starts with."""
    while start < end and text[start].isspace():
        start += 1
    return Span(start, end)
