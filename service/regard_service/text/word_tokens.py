"""Remembers the tokens of words, for tokenizers that read each word by itself.

A tokenizer takes two microseconds for a word, most of them to keep account of positions. The words of sentences come
again and again.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from regard_service.domain.results import Span, Token
from regard_service.text.tokenizer import MAX_CHARACTERS_HOLDING

MAX_WORDS = 20_000  # that are kept; some megabytes
MAX_WORD_CHARACTERS = 32

# Words of printable ASCII with one space between two: no normalizer joins or moves anything in them.
_PLAIN_WORDS = re.compile(r"[!-~]++(?: [!-~]++)*+")

# Normalizers that change a word whatever its neighbours are.
_LOCAL_NORMALIZERS = {"NFC", "NFKC", "Lowercase", "Precompiled", "Strip", "StripAccents"}
_SPACES = r"\s+"

_ANY_WORD = "a "


class WordTokens:
    """Reads texts of plain words. Safe in several threads.

    Args:
        description: the tokenizer's, in JSON.
        read: reads any text with it; its tokens have spans.

    Attributes:
        is_exact: whether a text's tokens are those of its words; where they are not, `read` reads nothing.
    """

    def __init__(self, description: str, read: Callable[[str], list[Token]]) -> None:
        self.is_exact = reads_words_alone(json.loads(description))
        self._read_whole = read
        self._first: dict[str, list[Token]] = {}  # of words that begin a text
        self._later: dict[str, list[Token]] = {}  # of all others; the space before them may be a token

    def read(self, text: str) -> list[Token] | None:
        """Returns a text's tokens, without special ones; None for a text that the tokenizer has to read whole."""
        if not self.is_exact or len(text) > MAX_CHARACTERS_HOLDING or _PLAIN_WORDS.fullmatch(text) is None:
            return None
        first, *others = text.split(" ")
        tokens = [*(self._first.get(first) or self._read(first, self._first, ""))]
        at = len(first) + 1
        for word in others:
            for token in self._later.get(word) or self._read(word, self._later, _ANY_WORD):
                token_id, piece, span, is_special, logprob, copied_from = token
                placed = None if span is None else Span._make((at + span[0], at + span[1]))
                tokens.append(Token._make((token_id, piece, placed, is_special, logprob, copied_from)))
            at += len(word) + 1
        return tokens

    def _read(self, word: str, known: dict[str, list[Token]], before: str) -> list[Token]:
        """Returns a word's tokens, with spans in the word. Args: before: a word that is read before it."""
        start, found = len(before), self._read_whole(before + word)
        placed = [(token, token.span) for token in found if token.span is not None and token.span.end >= start]
        tokens = [token._replace(span=Span(span.start - start, span.end - start)) for token, span in placed]
        if len(word) <= MAX_WORD_CHARACTERS:
            if len(known) >= MAX_WORDS:
                known.clear()
            known[word] = tokens
        return tokens


def reads_words_alone(content: Mapping[str, Any]) -> bool:
    """Whether a tokenizer gives each word between two spaces the tokens that it has alone. Args: content: as JSON.

    It cuts at spaces before all else, its normalizer is a matter of single words, no token of its own that it looks for
    in texts has a space, and nothing moves offsets afterwards.
    """
    if content.get("type") == "moses":
        return False  # a full stop's token depends on the next word
    first = _steps(content["pre_tokenizer"], "pretokenizers")[:1]
    cuts_at_spaces = any(
        step["type"] == "WhitespaceSplit" or (step["type"] == "Metaspace" and step.get("split", True)) for step in first
    )
    processor = content["post_processor"]
    return (
        cuts_at_spaces
        and all(_is_local(step) for step in _steps(content["normalizer"], "normalizers"))
        and all(token["special"] for token in content["added_tokens"])  # which texts cannot name
        and (processor is None or processor["type"] == "TemplateProcessing")
        and not content["model"].get("dropout")
    )


def _steps(part: Mapping[str, Any] | None, key: str) -> list[Mapping[str, Any]]:
    if part is None:
        return []
    return [step for each in part[key] for step in _steps(each, key)] if part["type"] == "Sequence" else [part]


def _is_local(normalizer: Mapping[str, Any]) -> bool:
    if normalizer["type"] != "Replace":
        return normalizer["type"] in _LOCAL_NORMALIZERS
    pattern = normalizer["pattern"]
    return pattern.get("Regex") == _SPACES or " " not in pattern.get("String", " ")
