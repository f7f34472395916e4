"""Merges a map between tokens to a map between words."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from regard.arrays import Float32Array, Int64Array
from regard_service.domain.results import AttentionMap, Span, Word


def map_between_words(tokens: AttentionMap, targets: Sequence[Word], sources: Sequence[Word] | None) -> AttentionMap:
    """Merges a map of any kind.

    Args:
        sources: None for pictures, whose regions stay as they are.
    """
    target_ranges = [word.tokens for word in targets]
    source_ranges = None if sources is None else [word.tokens for word in sources]
    if tokens.kind == "decoder_self":
        values = merge_read_words(tokens.values, target_ranges)
    elif tokens.kind == "encoder_self":
        values = merge_words(tokens.values, source_ranges, source_ranges)
    else:
        values = merge_words(tokens.values, target_ranges, source_ranges)
    return replace(tokens, values=values, granularity="word")


def merge_words(values: Float32Array, targets: Sequence[Span] | None, sources: Sequence[Span] | None) -> Float32Array:
    """Merges the target and the source axis of a map.

    Weights are summed over a source word's tokens, since a word receives the attention of all its tokens, and averaged
    over a target word's tokens, so that rows still sum to 1.

    Args:
        values: float32 [..., target, source].
        targets, sources: the tokens of each word; together all tokens of the axis, in order. None leaves the axis as
            it is.

    Returns:
        float32 [..., target words, source words].
    """
    if sources is not None:
        values = np.add.reduceat(values, _starts(sources), axis=-1)
    if targets is not None:
        sizes = np.array([word.end - word.start for word in targets], np.float32)
        values = np.add.reduceat(values, _starts(targets), axis=-2)  # a new array
        values /= sizes[:, None]
    return values


def merge_read_words(values: Float32Array, words: Sequence[Span]) -> Float32Array:
    """Merges decoder self-attention, whose columns are the decoder's inputs: the start, then all tokens but the last.

    Args:
        values: float32 [..., target, target].

    Returns:
        float32 [..., words, 1 + words]: column 0 is the decoder's start, column w + 1 the input tokens of word w.
    """
    never_read = np.zeros((*values.shape[:-1], 1), np.float32)
    columns = [Span(0, 1), *(Span(word.start + 1, word.end + 1) for word in words)]
    return merge_words(np.concatenate([values, never_read], axis=-1), words, columns)


def _starts(words: Sequence[Span]) -> Int64Array:
    return np.array([word.start for word in words], np.int64)
