"""Raw text to encoder ids, and decoder ids to text, with the span of every token."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from tokenizers import Tokenizer

from regard.arrays import Float32Array, Int64Array
from regard_service.bundle import Bundle, TextSource
from regard_service.domain import Span, Token
from regard_service.errors import InvalidInput
from regard_service.text.parts import cut

INCOMPLETE = "\N{REPLACEMENT CHARACTER}"
MAX_CHARACTER_BYTES = 4
MAX_ADDITIONS = 50_000  # remembered; a few megabytes


@dataclass(frozen=True)
class SourceText:
    """A text, or a part of one, as the encoder reads it.

    Attributes:
        text: all of it, as the caller sent it.
        tokens: what is read of it, special tokens included; spans are positions in `text`.
        words: int64 [source], of each token the first one of the same word; None unless the model copies.
        num_truncated: pieces that were cut off.
    """

    text: str
    tokens: tuple[Token, ...]
    words: Int64Array | None = None
    num_truncated: int = 0

    @property
    def ids(self) -> Int64Array:
        """int64 [source]."""
        return np.array([token.id for token in self.tokens], np.int64)

    @property
    def array(self) -> Int64Array:
        """What the engine takes: int64 [source], or [2, source] with the words."""
        return self.ids if self.words is None else np.stack([self.ids, self.words])


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


_Affixes = tuple[tuple[int, ...], tuple[int, ...]]
"""The special tokens before a text and behind it."""


@dataclass(frozen=True)
class _Pieces:
    """A text's tokens, without special ones; for models that copy, with the word that each stands for."""

    tokens: list[Token]
    words: list[str]


class SourceReader:
    """Turns texts into encoder ids: prefix of the language or style, pieces, suffix."""

    def __init__(self, bundle: Bundle) -> None:
        source = bundle.manifest.source
        if not isinstance(source, TextSource):
            raise TypeError(f"model {bundle.manifest.name!r} reads no text")
        self._source = source
        self._max_tokens = bundle.manifest.max_source_tokens
        self._copies = bundle.manifest.target.copies
        self._tokenizer = load_tokenizer(bundle, source.tokenizer)
        self._unknown_id = unknown_id(self._tokenizer)

    def read(
        self, text: str, *, field: str, key: str, truncation: Literal["reject", "truncate"], language: str = ""
    ) -> SourceText:
        """Tokenizes one text.

        Args:
            field: the text's path in the request, for errors.
            key: target language or style.
            language: the text's own, for models that are told.

        Raises:
            InvalidInput: the text is blank, or too long and to be rejected.
        """
        affixes = self._affixes(key, language)
        pieces, room = self._pieces(text, field), self._room(affixes)
        num_pieces = len(pieces.tokens)
        if num_pieces > room and truncation == "reject":
            raise InvalidInput.of(
                field, f"has {num_pieces} tokens; this model takes at most {room} (or ask for truncation)"
            )
        return self._part(text, affixes, pieces, range(min(room, num_pieces)), num_truncated=max(0, num_pieces - room))

    def read_parts(self, text: str, *, field: str, key: str, language: str = "") -> tuple[SourceText, ...]:
        """Tokenizes one text and cuts it, between sentences where it can, into parts that the model takes.

        Raises:
            InvalidInput: the text is blank.
        """
        pieces = self._pieces(text, field)
        spans = [token.span for token in pieces.tokens if token.span is not None]  # all of them
        affixes = self._affixes(key, language)
        return tuple(self._part(text, affixes, pieces, part) for part in cut(text, spans, self._room(affixes)))

    def _pieces(self, text: str, field: str) -> _Pieces:
        if not text.strip():
            raise InvalidInput.of(field, "is empty; a text holds at least one character that is not white space")
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        if not encoding.ids:
            raise InvalidInput.of(field, "holds nothing that this model reads")
        tokens, behind_marks = [], _behind_marks(text)
        for token_id, piece, (start, end) in zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True):
            span = _without_space(text, start, behind_marks[end])
            tokens.append(Token(token_id, text[slice(*span)] if token_id == self._unknown_id else piece, span))
        return _Pieces(tokens, self._words(text, encoding.tokens) if self._copies else [])

    def _words(self, text: str, pieces: list[str]) -> list[str]:
        """The word that each piece is, known or not: what normalizer and pre-tokenizer leave of it."""
        normalizer, pre_tokenizer = self._tokenizer.normalizer, self._tokenizer.pre_tokenizer
        normal = text if normalizer is None else normalizer.normalize_str(text)
        words = [normal] if pre_tokenizer is None else [word for word, _ in pre_tokenizer.pre_tokenize_str(normal)]
        return words if len(words) == len(pieces) else pieces  # the latter where words are cut into pieces

    def _part(self, text: str, affixes: _Affixes, pieces: _Pieces, part: range, num_truncated: int = 0) -> SourceText:
        """The tokens of a range, between prefix and suffix."""
        prefix, suffix = (self._special(ids) for ids in affixes)
        chosen = slice(part.start, part.stop)
        words = None
        if self._copies:
            # A special token is a word of its own.
            before, after = [object() for _ in prefix], [object() for _ in suffix]
            words = first_positions([*before, *pieces.words[chosen], *after])
        return SourceText(text, (*prefix, *pieces.tokens[chosen], *suffix), words, num_truncated)

    def _room(self, affixes: _Affixes) -> int:
        """The pieces that a text may have, beside special tokens."""
        return self._max_tokens - sum(map(len, affixes))

    def _affixes(self, key: str, language: str) -> _Affixes:
        source = self._source
        prefix = source.prefix_ids.get(key, source.prefix_ids.get("", ()))
        return (
            source.language_prefix_ids.get(language, ()) + prefix,
            source.suffix_ids + source.language_suffix_ids.get(language, ()),
        )

    def _special(self, ids: Sequence[int]) -> list[Token]:
        return [Token(i, self._tokenizer.id_to_token(i) or "", None, special=True) for i in ids]


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """The token that stands for what the vocabulary lacks; None if nothing does."""
    piece = getattr(tokenizer.model, "unk_token", None)
    return None if piece is None else tokenizer.token_to_id(piece)


def first_positions(words: Sequence[object]) -> Int64Array:
    """The position of the first word that equals each: int64 [words]."""
    first: dict[object, int] = {}
    return np.array([first.setdefault(word, position) for position, word in enumerate(words)], np.int64)


class TargetWriter:
    """Turns decoder ids into text. Pieces of a character that is not complete yet add no text."""

    def __init__(self, bundle: Bundle) -> None:
        self._tokenizer = load_tokenizer(bundle, bundle.manifest.target.tokenizer)
        target = bundle.manifest.target
        self.vocab_size = target.vocab_size
        self._unknown_id = unknown_id(self._tokenizer)
        self._special_ids = {*target.special_ids, *target.end_ids, target.pad_id, target.start_id}
        self._pieces: dict[int, str] = {}
        self._additions: dict[tuple[tuple[int, ...], tuple[int, ...]], str] = {}

    def write(self, ids: Int64Array, logprobs: Float32Array, source: SourceText | None = None) -> TargetText:
        """Writes a hypothesis.

        Args:
            ids: int64 [target].
            logprobs: float32 [target].
            source: what ids from `vocab_size` on copy from.
        """
        stream = self.stream(source)
        tokens = [stream.add(i, logprob) for i, logprob in zip(ids.tolist(), logprobs.tolist(), strict=True)]
        return TargetText(stream.text, tuple(tokens))

    def stream(self, source: SourceText | None = None) -> "TargetStream":
        return TargetStream(self, source)

    def piece(self, token_id: int) -> str:
        """As the vocabulary has it; remembered, since the tokenizer makes a new string each time."""
        piece = self._pieces.get(token_id)
        if piece is None:
            piece = self._pieces[token_id] = self._tokenizer.id_to_token(token_id) or ""
        return piece

    def id_of(self, piece: str) -> int:
        """A piece's id in the target vocabulary, the unknown token's if it is not in there."""
        found = self._tokenizer.token_to_id(piece)
        return found if found is not None else self._unknown_id or 0

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

    def __init__(self, writer: TargetWriter, source: SourceText | None = None) -> None:
        self.text = ""
        self._writer = writer
        self._source = source
        self._shown: tuple[int, ...] = ()  # the last ids that made text, which say whether a space comes first
        self._held: tuple[int, ...] = ()  # the bytes of a character that is not complete
        self._copied: tuple[int, Span] | None = None  # the last token, if it was a copy: its position and span

    def add(self, token_id: int, logprob: float) -> Token:
        """Appends a token; its span is what it adds to the text."""
        if self._source is not None and token_id >= self._writer.vocab_size:
            return self._copy(self._source, token_id - self._writer.vocab_size, logprob)
        piece, self._copied = self._writer.piece(token_id), None
        if self._writer.is_special(token_id):
            return Token(token_id, piece, None, special=True, logprob=logprob)
        start = len(self.text)
        self._held += (token_id,)
        added = self._writer.addition(self._shown, self._held)
        if not added.endswith(INCOMPLETE) or len(self._held) >= MAX_CHARACTER_BYTES:
            self._show(added)
        return Token(token_id, piece, _without_space(self.text, start, len(self.text)), logprob=logprob)

    def _copy(self, source: SourceText, position: int, logprob: float) -> Token:
        """Appends what stands at a position of the source, spelled and spaced as it is there."""
        original = source.tokens[position]
        if self._held:  # no byte of a character comes after this
            self._show(self._writer.addition(self._shown, self._held))
        token_id, start = self._writer.id_of(original.piece), len(self.text)
        # Tokens of one character ("½" is read as 1, /, 2) share its span, and copied one after the other add it once.
        is_added = original.span is not None and self._copied == (position - 1, original.span)
        if original.span is not None and not is_added:
            apart = self.text and _begins_word(source.text, original.span.start)
            self.text += " " * bool(apart) + source.text[original.span.start : original.span.end]
            self._shown = (token_id,)
        self._copied = None if original.span is None else (position, original.span)
        span = _without_space(self.text, start, len(self.text))
        return Token(token_id, original.piece, span, logprob=logprob, copied_from=position)

    def _show(self, added: str) -> None:
        self.text += added
        self._shown, self._held = self._held, ()


def join_texts(parts: Sequence[TargetText], source_lengths: Sequence[int]) -> TargetText:
    """The answers to consecutive parts of a source as one, with a space between them.

    Args:
        source_lengths: tokens of each part of the source.
    """
    if len(parts) == 1:
        return parts[0]
    text, tokens, num_source = "", [], 0
    for part, source_length in zip(parts, source_lengths, strict=True):
        text += " " * bool(text and part.text)
        tokens += [_moved(token, len(text), num_source) for token in part.tokens]
        text += part.text
        num_source += source_length
    return TargetText(text, tuple(tokens))


def _moved(token: Token, characters: int, source_tokens: int) -> Token:
    """A token as it stands behind so many characters, and copied from behind so many tokens."""
    span = None if token.span is None else Span(token.span.start + characters, token.span.end + characters)
    copied_from = None if token.copied_from is None else token.copied_from + source_tokens
    return token._replace(span=span, copied_from=copied_from)


def _begins_word(text: str, position: int) -> bool:
    return position == 0 or text[position - 1].isspace()


def _behind_marks(text: str) -> Sequence[int]:
    """For each position, that behind the accents there, which a normalizer may have joined with the letter before them.

    For all positions at once: to look from each for itself would take the square of the time where there are only
    accents.
    """
    ends = range(len(text) + 1)
    if text.isascii():
        return ends
    found = list(ends)
    for position in reversed(range(len(text))):
        if unicodedata.combining(text[position]):
            found[position] = found[position + 1]
    return found


def _without_space(text: str, start: int, end: int) -> Span:
    """The span without the white space that a piece begins with."""
    while start < end and text[start].isspace():
        start += 1
    return Span(start, end)
