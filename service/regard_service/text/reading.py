"""Reads a source text: text to the encoder's ids, with the span of every token."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from regard.arrays import Int64Array
from regard_service.bundle import Bundle
from regard_service.domain.results import Token
from regard_service.errors import InvalidInput
from regard_service.generation import Terms
from regard_service.text.moses.tokenizer import MosesTokenizer
from regard_service.text.parts import cut
from regard_service.text.tokenizer import (
    Alphabet,
    ControlTokenizers,
    encoded,
    load_tokenizer,
    tokens_of,
    unknown_id,
)
from regard_service.text.word_tokens import WordTokens

NOTHING_TO_READ = "holds nothing that this model reads"


@dataclass(frozen=True)
class SourceText:
    """A text, or a part of one, as the encoder reads it.

    Attributes:
        text: the whole text, as the caller sent it.
        tokens: the tokens that are read, special tokens included; spans are positions in `text`.
        words: int64 [source], for each token the first token of the same word; None unless the model copies.
        num_truncated: pieces that truncation removed.
        terms: translations that its output contains.
        left_out: terms that have no place in its output: their words are copied, or were truncated.
        prefix: tokens that its output begins with.
        prefix_bias: as `Generation.start_bias`.
        num_alternatives: outputs that differ behind the prefix; 0: those of the search.
    """

    text: str
    tokens: tuple[Token, ...]
    words: Int64Array | None = None
    num_truncated: int = 0
    terms: Terms | None = None
    left_out: tuple[str, ...] = ()
    prefix: tuple[int, ...] = ()
    prefix_bias: float = 0.0
    num_alternatives: int = 0

    @property
    def ids(self) -> Int64Array:
        """int64 [source]."""
        return self.array if self.words is None else self.array[0]

    @cached_property
    def array(self) -> Int64Array:
        """The engine's input: int64 [source], or [2, source] with the words. Built once, as a call reads it often."""
        ids = np.array([token.id for token in self.tokens], np.int64)
        return ids if self.words is None else np.stack([ids, self.words])


_Affixes = tuple[tuple[int, ...], tuple[int, ...]]
"""The special tokens before a text and after it."""


@dataclass(frozen=True)
class _Pieces:
    """A text's tokens without special ones; for models that copy, with the word that each stands for."""

    tokens: list[Token]
    words: list[str]


class SourceReader:
    """Turns texts into encoder ids: prefix of the language or style, pieces, suffix."""

    def __init__(self, bundle: Bundle) -> None:
        source = bundle.manifest.text_source
        if source is None:
            raise TypeError(f"model {bundle.manifest.name!r} reads no text")
        self._source = source
        self._max_tokens = bundle.manifest.max_source_tokens
        self._is_copying = bundle.manifest.has_decoder and bundle.manifest.target.copies
        self._tokenizer = load_tokenizer(bundle, source.tokenizer)
        self._unknown_id = unknown_id(self._tokenizer)
        self._alphabet = Alphabet(self._tokenizer)
        self._word_tokens = WordTokens(self._tokenizer.to_str(), self._tokens)
        self._special_tokens: dict[int, Token] = {}
        self._control = ControlTokenizers(self._tokenizer, source.control_tokens)

    def read(
        self,
        text: str,
        *,
        field: str,
        key: str,
        truncation: Literal["reject", "truncate"],
        language: str = "",
        control_tokens: frozenset[str] = frozenset(),
    ) -> SourceText:
        """Tokenizes one text.

        Args:
            field: the text's path in the request, for errors.
            key: target language or style.
            language: the source language, for models that read its name.
            control_tokens: those of the manifest's that this text may contain.

        Raises:
            InvalidInput: the tokenizer finds nothing in the text, or the text is too long and truncation is "reject".
        """
        part = self.read_if_any(
            text, field=field, key=key, truncation=truncation, language=language, control_tokens=control_tokens
        )
        if part is None:
            raise InvalidInput.of(field, NOTHING_TO_READ)
        return part

    def read_if_any(
        self,
        text: str,
        *,
        field: str,
        key: str,
        truncation: Literal["reject", "truncate"],
        language: str = "",
        control_tokens: frozenset[str] = frozenset(),
    ) -> SourceText | None:
        """Tokenizes one text as `read` does; returns None if the tokenizer finds nothing in it."""
        affixes = self._affixes(key, language)
        pieces, room = self._pieces(text, control_tokens), self._room(affixes)
        if not pieces.tokens:
            return None
        num_pieces = len(pieces.tokens)
        if num_pieces > room and truncation == "reject":
            raise InvalidInput.of(
                field, f"has {num_pieces} tokens; this model takes at most {room} (or ask for truncation)"
            )
        return self._part(text, affixes, pieces, range(min(room, num_pieces)), num_truncated=max(0, num_pieces - room))

    def read_parts(
        self,
        text: str,
        *,
        field: str,
        key: str,
        language: str = "",
        control_tokens: frozenset[str] = frozenset(),
        num_reserved: int = 0,
    ) -> tuple[SourceText, ...]:
        """Tokenizes one text and cuts it, between sentences where possible, into parts that fit the model.

        The arguments are those of `read`; `num_reserved` is how many tokens to leave free in each part, at most half
        of them.

        Raises:
            InvalidInput: the tokenizer finds nothing in the text.
        """
        pieces = self._pieces(text, control_tokens)
        if not pieces.tokens:
            raise InvalidInput.of(field, NOTHING_TO_READ)
        spans = [token.span for token in pieces.tokens if token.span is not None]  # every piece has one
        affixes = self._affixes(key, language)
        room = self._room(affixes)
        room -= min(num_reserved, room // 2)
        return tuple(self._part(text, affixes, pieces, part) for part in cut(text, spans, room))

    def num_pieces(self, text: str, control_tokens: frozenset[str] = frozenset()) -> int:
        """Returns the number of a text's tokens, without special ones."""
        return len(encoded(self._control.reading(control_tokens, text), text).ids)

    def written(self, token_id: int) -> tuple[str, str]:
        """Returns a token's spelling in the vocabulary, and the text that it stands for."""
        return self._tokenizer.id_to_token(token_id) or "", self._tokenizer.decode([token_id]).strip()

    def rank(self, word: str) -> tuple[int, ...]:
        """Returns how rare a word is in the vocabulary: the number of its pieces, and the largest id of them."""
        ids = encoded(self._tokenizer, word).ids
        return len(ids), max(ids, default=0)

    def lacks(self, text: str) -> bool:
        """Whether the vocabulary lacks a character of a text, so that the model cannot know it."""
        return self._alphabet.lacks(text)

    def _tokens(self, text: str) -> list[Token]:
        """Returns a text's tokens, without special ones."""
        encoding = encoded(self._tokenizer, text)
        return tokens_of(text, encoding.ids, encoding.tokens, encoding.offsets, self._unknown_id)

    def _pieces(self, text: str, control_tokens: frozenset[str]) -> _Pieces:
        if not (control_tokens or self._is_copying) and (known := self._word_tokens.read(text)) is not None:
            return _Pieces(known, [])
        encoding = encoded(self._control.reading(control_tokens, text), text)
        pieces = encoding.tokens
        tokens = tokens_of(text, encoding.ids, pieces, encoding.offsets, self._unknown_id)
        return _Pieces(tokens, self._words(text, pieces) if self._is_copying else [])

    def _words(self, text: str, pieces: list[str]) -> list[str]:
        """Returns each piece's word, known or not, as normalizer and pre-tokenizer leave it."""
        if isinstance(self._tokenizer, MosesTokenizer):
            return pieces
        normalizer, pre_tokenizer = self._tokenizer.normalizer, self._tokenizer.pre_tokenizer
        normal = text if normalizer is None else normalizer.normalize_str(text)
        words = [normal] if pre_tokenizer is None else [word for word, _ in pre_tokenizer.pre_tokenize_str(normal)]
        return words if len(words) == len(pieces) else pieces  # the numbers differ where words are cut into pieces

    def _part(self, text: str, affixes: _Affixes, pieces: _Pieces, part: range, num_truncated: int = 0) -> SourceText:
        """Returns a range of the pieces, between prefix and suffix."""
        prefix, suffix = (self._special(ids) for ids in affixes)
        chosen = slice(part.start, part.stop)
        words = None
        if self._is_copying:
            # Each special token is a word of its own.
            before, after = [object() for _ in prefix], [object() for _ in suffix]
            words = first_positions([*before, *pieces.words[chosen], *after])
        return SourceText(text, (*prefix, *pieces.tokens[chosen], *suffix), words, num_truncated)

    def _room(self, affixes: _Affixes) -> int:
        """Returns the number of pieces that fit beside the special tokens."""
        return self._max_tokens - sum(map(len, affixes))

    def _affixes(self, key: str, language: str) -> _Affixes:
        source = self._source
        prefix = source.prefix_ids.get(key, source.prefix_ids.get("", ()))
        return (
            source.language_prefix_ids.get(language, ()) + prefix,
            source.suffix_ids + source.language_suffix_ids.get(language, ()),
        )

    def _special(self, ids: Sequence[int]) -> list[Token]:
        known = self._special_tokens  # the same in all texts
        for i in ids:
            if i not in known:
                known[i] = Token(i, self._tokenizer.id_to_token(i) or "", None, is_special=True)
        return [known[i] for i in ids]


def first_positions(words: Sequence[object]) -> Int64Array:
    """Returns, for each word, the position of the first equal word: int64 [words]."""
    first: dict[object, int] = {}
    return np.array([first.setdefault(word, position) for position, word in enumerate(words)], np.int64)
