"""Raw text to encoder ids, and decoder ids to text, with the span of every token."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from models.bundle import Bundle, TextSource
from service.domain import Span, Token, Truncation
from service.engine.request import Float32Array, Int64Array
from service.errors import InvalidInput, Unsupported

INCOMPLETE = "\N{REPLACEMENT CHARACTER}"
MAX_CHARACTER_BYTES = 4
MAX_ADDITIONS = 50_000  # remembered; a few megabytes


@dataclass(frozen=True)
class SourceText:
    """A text as the encoder reads it.

    Attributes:
        text: as the caller sent it.
        ids: int64 [source], special tokens included.
        tokens: one an id; spans are positions in `text`.
        num_truncated: pieces that were cut off.
    """

    text: str
    ids: Int64Array
    tokens: tuple[Token, ...]
    num_truncated: int


@dataclass(frozen=True)
class TargetText:
    """What the decoder wrote: tokens one an id, spans in `text`."""

    text: str
    tokens: tuple[Token, ...]


def load_tokenizer(bundle: Bundle, file: str) -> Tokenizer:
    """Reads a bundle's tokenizer; special tokens that a user types are text like any other."""
    tokenizer = Tokenizer.from_file(str(bundle.path(file)))
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


class SourceReader:
    """Turns texts into encoder ids: prefix of the language or style, pieces, suffix."""

    def __init__(self, bundle: Bundle) -> None:
        source = bundle.manifest.source
        if not isinstance(source, TextSource):
            raise TypeError(f"model {bundle.manifest.name!r} reads no text")
        self._source = source
        self._max_tokens = bundle.manifest.max_source_tokens
        self._tokenizer = load_tokenizer(bundle, source.tokenizer)

    def read(self, text: str, *, field: str, key: str, truncation: Truncation) -> SourceText:
        """Tokenizes one text.

        Args:
            field: the text's path in the request, for errors.
            key: target language or style.

        Raises:
            InvalidInput: the text is blank, or too long and to be rejected.
            Unsupported: the text is too long and to be split.
        """
        if not text.strip():
            raise InvalidInput.of(field, "is empty; a text holds at least one character that is not white space")
        prefix = self._source.prefix_ids.get(key, self._source.prefix_ids.get("", ()))
        room = self._max_tokens - len(prefix) - len(self._source.suffix_ids)
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        num_pieces = len(encoding.ids)
        if num_pieces > room and truncation == "reject":
            raise InvalidInput.of(
                field, f"has {num_pieces} tokens; this model takes at most {room} (or ask for truncation)"
            )
        if num_pieces > room and truncation == "split":
            raise Unsupported("splitting a long text into parts is not offered for this task")
        ids = encoding.ids[:room]
        pieces = [
            Token(piece_id, piece, _without_space(text, start, end))
            for piece_id, piece, (start, end) in zip(ids, encoding.tokens, encoding.offsets, strict=False)
        ]
        tokens = (*self._special(prefix), *pieces, *self._special(self._source.suffix_ids))
        all_ids = np.array([*prefix, *ids, *self._source.suffix_ids], np.int64)
        return SourceText(text, all_ids, tokens, max(0, num_pieces - room))

    def _special(self, ids: Sequence[int]) -> list[Token]:
        return [Token(i, self._tokenizer.id_to_token(i) or "", None, special=True) for i in ids]


class TargetWriter:
    """Turns decoder ids into text. Pieces of a character that is not complete yet add no text."""

    def __init__(self, bundle: Bundle) -> None:
        self._tokenizer = load_tokenizer(bundle, bundle.manifest.target.tokenizer)
        target = bundle.manifest.target
        self._special_ids = {*target.special_ids, *target.end_ids, target.pad_id, target.start_id}
        self._additions: dict[tuple[tuple[int, ...], tuple[int, ...]], str] = {}

    def write(self, ids: Int64Array, logprobs: Float32Array) -> TargetText:
        """Args: ids int64 [target]; logprobs float32 [target]."""
        stream = self.stream()
        tokens = [stream.add(i, logprob) for i, logprob in zip(ids.tolist(), logprobs.tolist(), strict=True)]
        return TargetText(stream.text, tuple(tokens))

    def stream(self) -> "TargetStream":
        return TargetStream(self)

    def piece(self, token_id: int) -> str:
        return self._tokenizer.id_to_token(token_id) or ""

    def is_special(self, token_id: int) -> bool:
        return token_id in self._special_ids

    def addition(self, shown: tuple[int, ...], held: tuple[int, ...]) -> str:
        """What `held` adds to the text that `shown` ends; remembered, since the same pieces follow each other often."""
        added = self._additions.get((shown, held))
        if added is None:
            added = self._decode(shown + held)[len(self._decode(shown)) :]
            if len(self._additions) >= MAX_ADDITIONS:
                self._additions.clear()
            self._additions[shown, held] = added
        return added

    def _decode(self, ids: tuple[int, ...]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))


class TargetStream:
    """Text that grows token by token.

    Attributes:
        text: what is certain so far.
    """

    def __init__(self, writer: TargetWriter) -> None:
        self.text = ""
        self._writer = writer
        self._shown: tuple[int, ...] = ()  # the last ids that made text, which say whether a space comes first
        self._held: tuple[int, ...] = ()  # the bytes of a character that is not complete

    def add(self, token_id: int, logprob: float) -> Token:
        """Appends a token; its span is what it adds to the text."""
        piece = self._writer.piece(token_id)
        if self._writer.is_special(token_id):
            return Token(token_id, piece, None, special=True, logprob=logprob)
        start = len(self.text)
        self._held += (token_id,)
        added = self._writer.addition(self._shown, self._held)
        if not added.endswith(INCOMPLETE) or len(self._held) >= MAX_CHARACTER_BYTES:
            self.text += added
            self._shown, self._held = self._held, ()
        return Token(token_id, piece, _without_space(self.text, start, len(self.text)), logprob=logprob)


def _without_space(text: str, start: int, end: int) -> Span:
    """The span without the white space that a piece begins with."""
    while start < end and text[start].isspace():
        start += 1
    return Span(start, end)
