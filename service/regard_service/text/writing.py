"""Writes a target text: the decoder's ids to text, with the span of every token."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from regard.arrays import Float32Array, Int64Array
from regard_service.bundle import Bundle
from regard_service.domain.results import Span, Token
from regard_service.text.moses.tokenizer import CONTINUED, MosesTokenizer
from regard_service.text.reading import SourceText
from regard_service.text.tokenizer import encoded, load_tokenizer, unknown_id, without_leading_space
from regard_service.text.word_streams import WordStream

INCOMPLETE_CHARACTER = "\N{REPLACEMENT CHARACTER}"
MAX_CHARACTER_BYTES = 4
MAX_CACHED_ADDITIONS = 50_000  # a few megabytes


@dataclass(frozen=True)
class TargetText:
    """The decoder's output: one token for each id; spans are positions in `text`."""

    text: str
    tokens: tuple[Token, ...]


class _Pieces(dict[int, str]):
    """The vocabulary's spellings, by token. Each is kept: the tokenizer builds a new string each time."""

    def __init__(self, id_to_token: Callable[[int], str | None]) -> None:
        super().__init__()
        self._id_to_token = id_to_token

    def __missing__(self, token_id: int) -> str:
        piece = self[token_id] = self._id_to_token(token_id) or ""
        return piece


class Addition(NamedTuple):
    """The text that tokens add.

    Attributes:
        num_spaces: white space that it starts with.
        is_complete: whether its last character is complete.
    """

    text: str
    num_spaces: int
    is_complete: bool


class _Additions(dict[tuple[tuple[int, ...], tuple[int, ...]], Addition]):
    """What tokens add after others, by both. Kept: few pairs make up most of a text."""

    def __init__(self, decode: Callable[[tuple[int, ...]], str]) -> None:
        super().__init__()
        self._decode = decode

    def __missing__(self, key: tuple[tuple[int, ...], tuple[int, ...]]) -> Addition:
        shown, held = key
        text = self._decode(shown + held)[len(self._decode(shown)) :]
        num_spaces = without_leading_space(text, 0, len(text)).start
        if len(self) >= MAX_CACHED_ADDITIONS:
            self.clear()
        added = self[key] = Addition(text, num_spaces, not text.endswith(INCOMPLETE_CHARACTER))
        return added


class TargetWriter:
    """Turns decoder ids into text. Pieces of an incomplete character add no text.

    Attributes:
        tokenizer: of targets.
        special_ids: tokens that are never text.
        pieces: the vocabulary's spelling of each token.
        added: what tokens add after others.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.tokenizer = load_tokenizer(bundle, bundle.manifest.target.tokenizer)
        target = bundle.manifest.target
        self.vocab_size = target.vocab_size
        self._unknown_id = unknown_id(self.tokenizer)
        self.special_ids = target.silent_ids
        self.pieces = _Pieces(self.tokenizer.id_to_token)
        self.added = _Additions(self._decode)

    def write(self, ids: Int64Array, logprobs: Float32Array, source: SourceText | None = None) -> TargetText:
        """Writes a hypothesis.

        Args:
            ids: int64 [target].
            logprobs: float32 [target].
            source: the text that ids from `vocab_size` on copy from.
        """
        stream = self.stream(source)
        tokens = stream.extend(zip(ids.tolist(), logprobs.tolist(), strict=True))
        return TargetText(stream.text, tuple(tokens))

    def stream(self, source: SourceText | None = None) -> "TargetStream | WordStream":
        """Starts a text that grows token by token. Args: source: see `write`."""
        if isinstance(self.tokenizer, MosesTokenizer):
            return WordStream(self.tokenizer, self.special_ids)
        return TargetStream(self, source)

    def piece(self, token_id: int) -> str:
        """Returns the vocabulary's spelling of a token."""
        return self.pieces[token_id]

    def id_of(self, piece: str) -> int:
        """Returns a piece's id in the target vocabulary; the unknown token's where it has none."""
        found = self.tokenizer.token_to_id(piece)
        return found if found is not None else self._unknown_id or 0

    def find(self, piece: str) -> int | None:
        """Returns the id of a piece that is text; None where there is none."""
        found = self.tokenizer.token_to_id(piece)
        return None if found is None or found >= self.vocab_size or self.is_special(found) else found

    def is_special(self, token_id: int) -> bool:
        """Whether a token is never text."""
        return token_id in self.special_ids

    def encode(self, text: str) -> tuple[int, ...]:
        """Returns the tokens of a text, without special ones, where the tokenizer reads texts too."""
        return tuple(encoded(self.tokenizer, text).ids)

    def text_of(self, ids: tuple[int, ...]) -> str:
        """Returns the text of tokens that begin an output, as `write` gives it."""
        stream = self.stream()
        stream.extend((token_id, 0.0) for token_id in ids)
        return stream.text

    def additions(self, before: tuple[int, ...]) -> list[str]:
        """Returns the text that each token adds behind others; "" for special ones."""
        if isinstance(self.tokenizer, MosesTokenizer):
            begun = WordStream(self.tokenizer, self.special_ids)
            begun.extend((i, 0.0) for i in before)
            return [begun.addition(i) for i in range(self.vocab_size)]
        texts = self.tokenizer.decode_batch(
            [[*before], *([*before, i] for i in range(self.vocab_size))], skip_special_tokens=False
        )
        start, others = len(texts[0]), texts[1:]
        return ["" if self.is_special(i) else text[start:] for i, text in enumerate(others)]

    @property
    def unfinished(self) -> bytes:
        """For each token, 1 where its word goes on with the next one; empty where no token says so."""
        if not isinstance(self.tokenizer, MosesTokenizer):
            return b""
        return bytes(self.piece(i).endswith(CONTINUED) for i in range(self.vocab_size))

    def addition(self, shown: tuple[int, ...], held: tuple[int, ...]) -> Addition:
        """Returns what `held` adds after `shown`."""
        return self.added[shown, held]

    def _decode(self, ids: tuple[int, ...]) -> str:
        if isinstance(self.tokenizer, MosesTokenizer):
            return self.tokenizer.decode(ids)
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=False))


class TargetStream:
    """Text that grows token by token.

    Attributes:
        text: the text of all complete characters so far.
    """

    def __init__(self, writer: TargetWriter, source: SourceText | None = None) -> None:
        self.text = ""
        self._writer = writer
        self._source = source
        self._shown: tuple[int, ...] = ()  # the last ids that added text; they decide whether a space comes first
        self._held: tuple[int, ...] = ()  # the bytes of an incomplete character
        self._copied: tuple[int, Span] | None = None  # position and span of the last token, if it was a copy

    def add(self, token_id: int, logprob: float) -> Token:
        """Appends a token; its span is the text that it adds."""
        (token,) = self.extend([(token_id, logprob)])
        return token

    def extend(self, scored: Iterable[tuple[int, float]]) -> list[Token]:
        """Appends tokens, each an id with its log-probability. A loop without calls: a text has dozens."""
        writer, source, tokens = self._writer, self._source, []
        for token_id, logprob in scored:
            if source is not None and token_id >= writer.vocab_size:
                tokens.append(self._copy(source, token_id - writer.vocab_size, logprob))
                continue
            piece, self._copied = writer.pieces[token_id], None
            if token_id in writer.special_ids:
                tokens.append(Token._make((token_id, piece, None, True, logprob, None)))
                continue
            start, held = len(self.text), (*self._held, token_id)
            text, num_spaces, is_complete = writer.added[self._shown, held]
            if is_complete or len(held) >= MAX_CHARACTER_BYTES:
                self.text += text
                self._shown, self._held = held, ()
                span = Span._make((start + num_spaces, len(self.text)))
            else:
                self._held, span = held, Span(start, start)
            # `_make` takes half of the time of a call by names.
            tokens.append(Token._make((token_id, piece, span, False, logprob, None)))
        return tokens

    def _copy(self, source: SourceText, position: int, logprob: float) -> Token:
        """Appends the source token at a position, with the source's spelling and spacing."""
        original = source.tokens[position]
        if self._held:  # a copy ends an incomplete character
            self.text += self._writer.addition(self._shown, self._held).text
            self._shown, self._held = self._held, ()
        token_id, start = self._writer.id_of(original.piece), len(self.text)
        # The tokens of one character ("½" is read as 1, /, 2) share its span: copied in sequence they add it once.
        is_added = original.span is not None and self._copied == (position - 1, original.span)
        if original.span is not None and not is_added:
            has_space = self.text and _begins_word(source.text, original.span.start)
            self.text += " " * bool(has_space) + source.text[original.span.start : original.span.end]
            self._shown = (token_id,)
        self._copied = None if original.span is None else (position, original.span)
        span = without_leading_space(self.text, start, len(self.text))
        return Token(token_id, original.piece, span, logprob=logprob, copied_from=position)


def join_texts(parts: Sequence[TargetText], source_lengths: Sequence[int]) -> TargetText:
    """Joins the outputs of a source's consecutive parts, with a space between them.

    Args:
        source_lengths: tokens of each part of the source.
    """
    if len(parts) == 1:
        return parts[0]
    text, tokens, num_source = "", [], 0
    for part, source_length in zip(parts, source_lengths, strict=True):
        text += " " * bool(text and part.text)
        tokens += [moved(token, len(text), num_source) for token in part.tokens]
        text += part.text
        num_source += source_length
    return TargetText(text, tuple(tokens))


def moved(token: Token, num_characters: int, num_source_tokens: int) -> Token:
    """Moves a token behind a number of characters, and the token it copies behind a number of source tokens."""
    span = None if token.span is None else Span(token.span.start + num_characters, token.span.end + num_characters)
    copied_from = None if token.copied_from is None else token.copied_from + num_source_tokens
    return token._replace(span=span, copied_from=copied_from)


def _begins_word(text: str, position: int) -> bool:
    return position == 0 or text[position - 1].isspace()
