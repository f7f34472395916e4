"""What the rows and columns of an attention map stand for, in words that a person reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from regard.results import AttentionMap, Hypothesis, Result, Token, Word
from regard.terminal import printable

# How tokenizers write the space before a token: SentencePiece, and byte-level BPE.
_SPACE_MARKS = ("▁", "Ġ")


@dataclass(frozen=True)
class Label:
    """What stands beside a row or a column; `special` for the model's own tokens."""

    text: str
    special: bool = False


START = Label("start", special=True)


def axes_of(result: Result, hypothesis: Hypothesis, attention: AttentionMap) -> tuple[list[Label], list[Label]]:
    """The labels of a map's last two axes: of its rows, and of its columns.

    Over a picture the columns are its regions, which have no labels: that list is empty.
    """
    by_words = attention.granularity == "word"
    target = _labels(hypothesis.words) if by_words else _tokens(hypothesis.tokens, hypothesis.text)
    source = _labels(result.source_words) if by_words else _tokens(result.source_tokens)
    if attention.kind == "encoder_self":
        return source, source
    if attention.kind == "decoder_self":
        # Column 0 is the decoder's start; a word has a column of its own behind it, of the tokens all but the last.
        return target, [START, *(target if by_words else target[:-1])]
    return target, [] if result.image_grid is not None else source


def _labels(words: Sequence[Word]) -> list[Label]:
    return [Label(readable(word.text), word.special) for word in words]


def _tokens(tokens: Sequence[Token], text: str | None = None) -> list[Label]:
    """Labels of tokens: what each makes of the text where that is known, otherwise its piece."""
    return [Label(_token_text(token, text), token.special) for token in tokens]


def _token_text(token: Token, text: str | None) -> str:
    if text is not None and token.span is not None and token.span.end > token.span.start:
        return readable(text[token.span.start : token.span.end])
    if token.special:
        return readable(token.piece)
    return readable(token.piece.removeprefix(_SPACE_MARKS[0]).removeprefix(_SPACE_MARKS[1]))


def readable(text: str) -> str:
    """Text on one line, without control characters; never empty."""
    return " ".join(printable(text).split()) or "␣"
