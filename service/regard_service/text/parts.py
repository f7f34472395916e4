"""Cuts a long text into parts: between sentences, else between words, else between characters."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from regard_service.domain.results import Span

# A sentence ends with its marks and closing quotes, before white space and anything but a small letter; with the marks
# of scripts without spaces; or with its line. Possessive quantifiers visit each run of marks once: backtracking would
# take quadratic time in a text of marks.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+\s++(?![a-z])|[。！？]+[」』）]*|\n\s*")

_WITHIN_CHARACTER, _CHARACTER, _WORD, _SENTENCE = range(4)


def cut(text: str, spans: Sequence[Span], room: int) -> list[range]:
    """Cuts tokens into as few parts as fit, each as long as possible.

    Args:
        spans: the part of `text` that each token stands for, in order.
        room: the largest number of tokens in a part, at least 1.

    Returns:
        ranges of token indexes; together all tokens, in order.
    """
    levels, parts, start = _levels(text, spans), [], 0
    while len(spans) - start > room:
        window = levels[start + 1 : start + room + 1]  # the tokens that the next part may start with
        end = start + len(window) - int(window[::-1].argmax())  # the last of the best places
        parts.append(range(start, end))
        start = end
    return [*parts, range(start, len(spans))]


def _levels(text: str, spans: Sequence[Span]) -> NDArray[np.int8]:
    """Rates each token as the start of a part: int8 [tokens], higher is better."""
    levels = np.full(len(spans), _CHARACTER, np.int8)
    for index in range(1, len(spans)):
        before, here = spans[index - 1], spans[index]
        if here.start < before.end or before.start == before.end:
            levels[index] = _WITHIN_CHARACTER  # the tokens of one character share its span, or complete it
        elif any(character.isspace() for character in text[before.end : here.start]):
            levels[index] = _WORD
    sentences = [match.end() for match in _SENTENCE_END.finditer(text)]
    found = np.searchsorted([span.start for span in spans], sentences)
    levels[found[found < len(spans)]] = _SENTENCE
    return levels
