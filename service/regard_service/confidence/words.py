"""Calibrated probabilities of an output's words."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from regard_service.bundle import WordCalibration
from regard_service.domain.results import Span, Token, WordConfidence
from regard_service.text.words import group_words


class ScoredWord(NamedTuple):
    """A word of an output. Attributes: logprob: the sum of its tokens'."""

    span: Span
    logprob: float


def scored_words(text: str, tokens: Sequence[Token]) -> Iterator[ScoredWord]:
    """Yields the words of an output with their log-probabilities; special tokens are none."""
    spans = [None if token.span is None else (token.span.start, token.span.end) for token in tokens]
    for group in group_words(text, spans):
        start, end = spans[group.start], spans[group.end - 1]
        if start is not None and end is not None and end[1] > start[0]:
            logprob = sum(token.logprob for token in tokens[group.start : group.end])
            yield ScoredWord(Span(start[0], end[1]), logprob)


def word_confidences(text: str, tokens: Sequence[Token], calibration: WordCalibration) -> tuple[WordConfidence, ...]:
    """Returns the probability of each word that it is right."""
    words = list(scored_words(text, tokens))
    logprobs = np.array([word.logprob for word in words])
    probabilities = np.interp(logprobs, calibration.logprobs, calibration.probabilities)
    return tuple(WordConfidence(word.span, value) for word, value in zip(words, probabilities.tolist(), strict=True))
