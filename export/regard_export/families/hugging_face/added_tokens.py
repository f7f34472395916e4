"""Tokens that fine-tuners add to a tokenizer of `transformers`: ordinary ones, read in every text, and special ones."""

from collections.abc import Collection, Mapping
from typing import Any

from transformers.tokenization_python import Trie

from regard_export.errors import ExportError
from regard_service.bundle import ControlToken

STRUCTURAL_TOKENS = ("bos", "eos", "unk", "sep", "pad", "cls")  # attributes of a tokenizer, without "_token_id"


def ordinary_tokens(tokenizer: Any) -> dict[int, Any]:
    """The added tokens that are read wherever they stand in a text, by their ids."""
    special = _special_ids(tokenizer)
    return {i: token for i, token in tokenizer.added_tokens_decoder.items() if i not in special}


def _special_ids(tokenizer: Any) -> set[int]:
    """The ids of special tokens; ByT5's tokenizer does not mark all of them."""
    marked = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    return marked | {*tokenizer.all_special_ids}


def control_tokens(tokenizer: Any, language_tokens: Collection[str] = ()) -> tuple[ControlToken, ...]:
    """The special tokens that a request may place in a text.

    Args:
        language_tokens: spellings of the tokens that a request's languages choose.
    """
    special = _special_ids(tokenizer)
    structural = {getattr(tokenizer, f"{name}_token_id", None) for name in STRUCTURAL_TOKENS}
    return tuple(
        ControlToken(
            content=token.content,
            id=i,
            lstrip=token.lstrip,
            rstrip=token.rstrip,
            single_word=token.single_word,
            # Tokenizers that the `tokenizers` library does not run find every token in the text as it is.
            normalized=token.normalized and tokenizer.is_fast,
        )
        for i, token in tokenizer.added_tokens_decoder.items()
        if i in special and i not in structural and token.content not in language_tokens and token.content
    )


def refuse_single_words(tokenizer: Any) -> None:
    """Raises ExportError if a token that is read only as a whole word has no counterpart in the `tokenizers` library.

    Python tokenizers of `transformers` look for spaces around it; the library looks for the ends of words.
    """
    tokens = [] if tokenizer.is_fast else [t for t in tokenizer.added_tokens_decoder.values() if t.single_word]
    if tokens:
        named = ", ".join(repr(token.content) for token in tokens)
        raise ExportError(
            f"{type(tokenizer).__name__} has added tokens with single_word, which is not supported: {named}"
        )


def typed_ids(tokenizer: Any, text: str, **options: Any) -> list[int]:
    """The ids of a text that a user typed: ordinary added tokens are read, special ones are text.

    Args:
        options: of the tokenizer's call.
    """
    if tokenizer.is_fast or not ordinary_tokens(tokenizer):
        return list(tokenizer(text, split_special_tokens=True, **options).input_ids)
    # With split_special_tokens, a Python tokenizer reads no added token at all.
    all_tokens, tokenizer.tokens_trie = tokenizer.tokens_trie, _trie(ordinary_tokens(tokenizer))
    try:
        return list(tokenizer(text, **options).input_ids)
    finally:
        tokenizer.tokens_trie = all_tokens


def _trie(tokens: Mapping[int, Any]) -> Trie:
    trie = Trie()
    for token in tokens.values():
        trie.add(token.content)
    return trie
