"""Reads a given target text: text to the decoder's ids, as if the model had written it."""

from dataclasses import dataclass

import numpy as np

from regard.arrays import Float32Array, Int64Array
from regard_service.bundle import Bundle
from regard_service.domain.results import Token
from regard_service.errors import InvalidInput
from regard_service.text.reading import NOTHING_TO_READ
from regard_service.text.tokenizer import encoded, load_tokenizer, tokens_of, unknown_id
from regard_service.text.writing import TargetText, TargetWriter


@dataclass(frozen=True)
class GivenTarget:
    """A target as its sender wrote it.

    Attributes:
        tokens: the forced first token if the model has one, the text's tokens, the end token; spans are positions in
            `text`.
        num_forced: how many of the first tokens are forced.
    """

    text: str
    tokens: tuple[Token, ...]
    num_forced: int = 0

    @property
    def ids(self) -> Int64Array:
        """int64 [target]."""
        return np.array([token.id for token in self.tokens], np.int64)

    def with_logprobs(self, logprobs: Float32Array) -> TargetText:
        """Returns the text with its tokens' log-probabilities, float32 [target]."""
        scored = zip(self.tokens, logprobs.tolist(), strict=True)
        return TargetText(self.text, tuple(token._replace(logprob=logprob) for token, logprob in scored))


class TargetReader:
    """Turns target texts into the decoder's ids.

    Args:
        writer: names the special tokens; its tokenizer is shared, if it reads too.
    """

    def __init__(self, bundle: Bundle, writer: TargetWriter) -> None:
        manifest, file = bundle.manifest, bundle.manifest.target_reading_tokenizer
        if file is None:
            raise ValueError(f"model {manifest.name!r} has no tokenizer that reads given targets")
        self._target = manifest.target
        self._tokenizer = writer.tokenizer if file == manifest.target.tokenizer else load_tokenizer(bundle, file)
        self._unknown_id = unknown_id(self._tokenizer)
        self._max_tokens = manifest.max_target_tokens
        self._writer = writer

    def encode(self, text: str) -> tuple[int, ...]:
        """Returns the tokens of a text, without special ones."""
        return tuple(encoded(self._tokenizer, text).ids)

    def read(self, text: str, *, field: str, key: str) -> GivenTarget:
        """Tokenizes one text.

        Args:
            field: the text's path in the request, for errors.
            key: target language or style, which may force the first token.

        Raises:
            InvalidInput: the tokenizer finds nothing in the text, or the text is too long.
        """
        encoding = encoded(self._tokenizer, text)
        first = self._target.forced_first_id(key)
        forced = [] if first is None else [self._special(first)]
        num_tokens, room = len(encoding.ids), self._max_tokens - len(forced) - 1
        if not num_tokens:
            raise InvalidInput.of(field, NOTHING_TO_READ)
        if num_tokens > room:
            raise InvalidInput.of(field, f"has {num_tokens} tokens; this model writes at most {room}")
        pieces = tokens_of(text, encoding.ids, encoding.tokens, encoding.offsets, self._unknown_id)
        return GivenTarget(text, (*forced, *pieces, self._special(self._target.end_ids[0])), len(forced))

    def _special(self, token_id: int) -> Token:
        return Token(token_id, self._writer.piece(token_id), None, is_special=True)
