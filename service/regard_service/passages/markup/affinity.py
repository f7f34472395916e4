"""How much each word of a target stands for each word of the source."""

from collections.abc import Sequence

import numpy as np

from regard.arrays import Float32Array
from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.markup.words import covered


def affinity(aligned: AlignedText, source: Sequence[Span], target: Sequence[Span]) -> Float32Array:
    """Returns float32 [target words, source words]; each row sums to 1.

    Args:
        source, target: the words, as `words` cuts them.
    """
    weights = _by_word(aligned, source, target)
    return _normalized(weights)


def _by_word(aligned: AlignedText, source: Sequence[Span], target: Sequence[Span]) -> Float32Array:
    """Returns the weights between words: sums over the source's tokens, means over the target's."""
    values = np.zeros((len(target), len(source)), np.float32)
    if aligned.weights is None:
        return values
    to_source = _shares(aligned.source_spans, source)
    to_target = _shares(aligned.target_spans, target)
    result: Float32Array = (to_target.T @ aligned.weights @ to_source).astype(np.float32)
    return result


def _shares(tokens: Sequence[Span | None], spans: Sequence[Span]) -> Float32Array:
    """Returns float32 [tokens, words]: the share of a token's characters that is in a word."""
    shares = np.zeros((len(tokens), len(spans)), np.float32)
    for index, span in enumerate(tokens):
        if span is None:
            continue
        for word in covered(spans, *span):
            overlap = min(span.end, spans[word].end) - max(span.start, spans[word].start)
            shares[index, word] = overlap / max(1, span.end - span.start)
    return shares


def _normalized(values: Float32Array) -> Float32Array:
    totals = values.sum(axis=1, keepdims=True)
    result: Float32Array = np.divide(values, totals, out=np.zeros_like(values), where=totals > 0)
    return result
