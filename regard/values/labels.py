"""Labels of the rows and columns of an attention map, for people to read."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from regard.values.maps import AttentionMap
from regard.values.outputs import Hypothesis, Output
from regard.values.units import Token, Word

# How SentencePiece and byte-level BPE write the space before a token.
_SPACE_MARKS = ("▁", "Ġ")

# They reorder the text that follows them, up to the end of the line.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Label:
    """The label of a row or a column; `special` for a special token's."""

    text: str
    special: bool = False


START = Label("start", special=True)


def axes_of(output: Output, hypothesis: Hypothesis, attention: AttentionMap) -> tuple[list[Label], list[Label]]:
    """The labels of a map's rows and of its columns, the last two axes.

    Over a picture the columns are its regions, which have no labels: the second list is empty.
    """
    is_by_words = attention.granularity == "word"
    target = _word_labels(hypothesis.words) if is_by_words else _token_labels(hypothesis.tokens, hypothesis.text)
    source = _word_labels(output.source_words) if is_by_words else _token_labels(output.source_tokens)
    if attention.kind == "encoder_self":
        return source, source
    if attention.kind == "decoder_self":
        # Column 0 is the decoder's start token. Every word has a column; of the tokens, all but the last, which no
        # step reads.
        return target, [START, *(target if is_by_words else target[:-1])]
    return target, [] if output.image_grid is not None else source


def _word_labels(words: Sequence[Word]) -> list[Label]:
    return [Label(readable(word.text), word.special) for word in words]


def _token_labels(tokens: Sequence[Token], text: str | None = None) -> list[Label]:
    """The labels of tokens: each token's part of the text if that is known, otherwise its piece."""
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


def printable(text: str) -> str:
    """The text with U+FFFD for control characters, which could move the cursor or change the terminal's state."""
    return "".join("\ufffd" if _is_control(character) else character for character in text)


def _is_control(character: str) -> bool:
    if character in "\n\t":
        return False
    return character in _BIDI_CONTROLS or unicodedata.category(character) in ("Cc", "Cs")
