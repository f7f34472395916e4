"""Tokens and words: what the axes of attention maps count."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from regard.names import RiskKind, WarningReason
from regard.v1 import regard_pb2 as pb
from regard.wire import enums


@dataclass(frozen=True)
class Span:
    """Half-open range [start, end) of a text's characters (Python's string indexes), or of tokens."""

    start: int
    end: int


@dataclass(frozen=True)
class Link:
    """A hard alignment of two units, tokens or words, by their indexes."""

    source: int
    target: int


@dataclass(frozen=True)
class Token:
    """A token of the source or of the output.

    Attributes:
        id: its number in the model's vocabulary.
        piece: its entry in the vocabulary, with the tokenizer's own marks.
        span: the part of the text that it stands for; None for special tokens.
        special: whether the model added it (end of sentence, a language); it is not part of the text.
        logprob: natural logarithm of its probability; None for source tokens.
        copied: whether it was copied from the source.
        copied_from: index of the source token that it was copied from; None if that is not known.
    """

    id: int
    piece: str
    span: Span | None
    special: bool
    logprob: float | None = None
    copied: bool = False
    copied_from: int | None = None

    def __repr__(self) -> str:
        return f"<Token {self.piece!r} {self.id}>"


@dataclass(frozen=True)
class Word:
    """A word, or one special token.

    Attributes:
        text: the word as the text has it; a special token's piece.
        span: its characters in the text; None for special tokens.
        tokens: the range of tokens that form it.
        special: whether it is a special token.
    """

    text: str
    span: Span | None
    tokens: Span
    special: bool

    def __repr__(self) -> str:
        return f"<Word {self.text!r}>"


@dataclass(frozen=True)
class Segment:
    """A part of a source that was translated by itself, or copied.

    Attributes:
        source, target: its characters in the source, and its output's in the best hypothesis' text.
        source_tokens, target_tokens: ranges of tokens; empty if it was copied.
        copied: whether no model read it.
    """

    source: Span
    target: Span
    source_tokens: Span
    target_tokens: Span
    copied: bool = False


@dataclass(frozen=True)
class OutputWarning:
    """Something that may be wrong with the best hypothesis.

    Attributes:
        reason: such as "output_cut" or "repetition"; "" for a reason of a later version of the API.
        message: the same in words.
        segment: index of the segment that it concerns; None for the whole text.
    """

    reason: WarningReason | Literal[""]
    message: str
    segment: int | None = None


@dataclass(frozen=True)
class RiskReason:
    """Why to doubt the best hypothesis.

    Attributes:
        kind: such as "unlikely" or "looping"; "" for a kind of a later version of the API.
        message: the same in words.
        segment: index of the segment that it concerns; None for the whole text.
    """

    kind: RiskKind | Literal[""]
    message: str
    segment: int | None = None


@dataclass(frozen=True)
class WordConfidence:
    """A word of an output, by its characters in the text, and the probability that it is right."""

    span: Span
    probability: float


def read_risk_reasons(messages: Iterable[pb.RiskReason]) -> tuple[RiskReason, ...]:
    """Reads the reasons of a result's risk."""
    return tuple(
        RiskReason(enums.RISK_KIND.name_if_known(m.kind), m.message, m.segment if m.HasField("segment") else None)
        for m in messages
    )


def read_word_confidences(messages: Iterable[pb.WordConfidence]) -> tuple[WordConfidence, ...]:
    """Reads the probabilities of a hypothesis' words."""
    return tuple(WordConfidence(_span(m.span), m.probability) for m in messages)


def read_segments(messages: Iterable[pb.Segment]) -> tuple[Segment, ...]:
    """Reads the segments of a result."""
    return tuple(
        Segment(_span(m.source), _span(m.target), _span(m.source_tokens), _span(m.target_tokens), m.copied)
        for m in messages
    )


def read_warnings(messages: Iterable[pb.Warning]) -> tuple[OutputWarning, ...]:
    """Reads the warnings of a result."""
    return tuple(
        OutputWarning(
            enums.WARNING_REASON.name_if_known(m.reason), m.message, m.segment if m.HasField("segment") else None
        )
        for m in messages
    )


def read_source_tokens(messages: Iterable[pb.SourceToken]) -> tuple[Token, ...]:
    """Reads the tokens of a source."""
    return tuple(Token(m.id, m.piece, _span(m.span) if m.HasField("span") else None, m.special) for m in messages)


def read_target_token(message: pb.TargetToken) -> Token:
    """Reads a token of an output."""
    return Token(
        id=message.id,
        piece=message.piece,
        span=_span(message.span) if message.HasField("span") else None,
        special=message.special,
        logprob=message.logprob,
        copied=message.copied,
        copied_from=message.copied_from if message.HasField("copied_from") else None,
    )


def read_words(messages: Iterable[pb.Word]) -> tuple[Word, ...]:
    """Reads the words of a source or an output."""
    return tuple(
        Word(m.text, _span(m.span) if m.HasField("span") else None, _span(m.tokens), m.special) for m in messages
    )


def _span(message: pb.Span) -> Span:
    return Span(message.start, message.end)
