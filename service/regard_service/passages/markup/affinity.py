"""How much each word of a target stands for each word of the source: attention, and what else speaks for it.

Attention tells for each word of the target where the model looked. It is one-sided and, of a small model, weak; so it
is one of four pieces of evidence, whose logarithms are added: attention against what a word of the source gets from
all; how alike the words are spelled (names, numbers and loans are the same in both languages); whether both are written
with a capital within a sentence; how far apart they stand. Marks of punctuation stand for the same marks only. The sums
are normalized over the source and over the target, and multiplied: what is best for both sides counts most.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from regard.arrays import BoolArray, Float32Array
from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.markup.words import covered, is_mark

# Chosen on benchmarks.documents.markup, English to German and to French, for a model with weak attention and for
# alignments by eflomal in its place; both have their best at about these.
ATTENTION = 1.0
POPULARITY = 0.5  # of a word of the source, counted against it
SPELLING = 15.0
CAPITALS = 4.5
DISTANCE = 6.0
SAME_MARK = 4.5
_FLOOR = 1e-3  # of a weight: a model that looks elsewhere is no proof
_NEVER = -50.0
_SHORT_SENTENCE = 5  # words
_CHANCE = 0.1  # the share of letters that unlike words have in common


def affinity(aligned: AlignedText, source: Sequence[Span], target: Sequence[Span]) -> Float32Array:
    """Returns float32 [target words, source words]; each row sums to 1, or to 0 for a mark that the source lacks.

    Args:
        source, target: the words, as `words` cuts them.
    """
    if not (source and target):
        return np.zeros((len(target), len(source)), np.float32)
    evidence = _Evidence(aligned, source, target)
    logarithms = evidence.attention() + evidence.spelling() + evidence.capitals() - evidence.distance()
    logarithms = evidence.without_marks(logarithms)
    values = np.sqrt(_softmax(logarithms, 1) * _softmax(logarithms, 0))
    values[logarithms.max(axis=1) <= _NEVER] = 0
    return _normalized(values.astype(np.float32))


class _Evidence:
    """What speaks for each pair of words; float32 [target words, source words] each."""

    def __init__(self, aligned: AlignedText, source: Sequence[Span], target: Sequence[Span]) -> None:
        self._aligned = aligned
        self._spans = source, target
        self._source = [aligned.source[slice(*span)] for span in source]
        self._target = [aligned.target[slice(*span)] for span in target]
        self._source_marks = np.array([is_mark(word) for word in self._source])
        self._target_marks = np.array([is_mark(word) for word in self._target])

    def attention(self) -> Float32Array:
        """The logarithm of the share of a target word's attention, less that of the share of all attention."""
        weights = by_word(self._aligned, *self._spans)
        shares = _normalized(weights) + _FLOOR
        popularity = shares.sum(axis=0, keepdims=True)
        result: Float32Array = ATTENTION * np.log(shares) - POPULARITY * np.log(popularity)
        return result

    def spelling(self) -> Float32Array:
        """How alike words are: 1 for the same letters, less for a part of them."""
        values = SPELLING * _likeness(self._source, self._target)
        return np.where(self._target_marks[:, None] & self._source_marks, np.float32(0), values)

    def capitals(self) -> Float32Array:
        """Whether both words start with a capital, and neither the sentence; short words of the target do not count."""
        source, target = _has_capital(self._source, 1), _has_capital(self._target, 4)
        result: Float32Array = CAPITALS * np.outer(target, source).astype(np.float32)
        return result

    def distance(self) -> Float32Array:
        """How far apart words stand, as a share of their sentences; less in short ones, where any order is near."""
        num_target, num_source = len(self._target), len(self._source)
        scale = DISTANCE * num_source / (num_source + _SHORT_SENTENCE)
        target, source = (np.arange(num_target) + 0.5) / num_target, (np.arange(num_source) + 0.5) / num_source
        result: Float32Array = (scale * np.abs(target[:, None] - source)).astype(np.float32)
        return result

    def without_marks(self, values: Float32Array) -> Float32Array:
        """Lets marks stand for the same marks only."""
        is_same = np.array(self._target)[:, None] == np.array(self._source)
        is_mark_pair = self._target_marks[:, None] | self._source_marks
        result: Float32Array = np.where(is_mark_pair, np.where(is_same, values + SAME_MARK, _NEVER), values)
        return result


def by_word(aligned: AlignedText, source: Sequence[Span], target: Sequence[Span]) -> Float32Array:
    """Returns the weights between words, float32 [target words, source words]: sums over their tokens."""
    if aligned.weights is None:
        return np.zeros((len(target), len(source)), np.float32)
    to_source, to_target = _shares(aligned.source_spans, source), _shares(aligned.target_spans, target)
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


def _likeness(source: Sequence[str], target: Sequence[str]) -> Float32Array:
    """Returns float32 [target words, source words]: 1 for the same word, else by the pairs of letters that two share.

    That share is Dice's coefficient; the first letter makes a pair with the word's start.
    """
    folded = [[word.casefold().rstrip(".") or word for word in words] for words in (target, source)]
    pairs = [[_letter_pairs(word) for word in words] for words in folded]
    columns = {pair: at for at, pair in enumerate({pair for words in pairs for word in words for pair in word})}
    counts = [np.zeros((len(words), len(columns)), np.float32) for words in pairs]
    for matrix, words in zip(counts, pairs, strict=True):
        for row, word in enumerate(words):
            matrix[row, [columns[pair] for pair in word]] = 1
    common = counts[0] @ counts[1].T
    sizes = counts[0].sum(axis=1)[:, None] + counts[1].sum(axis=1)
    shares = np.divide(2 * common, sizes, out=np.zeros_like(common), where=sizes > 0)
    is_same = np.array(folded[0])[:, None] == np.array(folded[1])
    result: Float32Array = np.where(is_same, np.float32(1), (shares - _CHANCE).clip(0) / (1 - _CHANCE))
    return result


def _letter_pairs(word: str) -> set[str]:
    """Returns the pairs of letters in a word; none of a short one, which is like many others by chance."""
    return {first + second for first, second in pairwise(" " + word)} if len(word) > 3 else set()


def _has_capital(words: Sequence[str], min_length: int) -> BoolArray:
    """Returns bool [words]: whether a word within the sentence starts with a capital, or has no other letters."""
    return np.array(
        [at > 0 and word[0].isupper() and (len(word) >= min_length or word.isupper()) for at, word in enumerate(words)]
    )


def _softmax(values: Float32Array, axis: int) -> Float32Array:
    exponentials = np.exp(values - values.max(axis=axis, keepdims=True))
    result: Float32Array = exponentials / exponentials.sum(axis=axis, keepdims=True)
    return result


def _normalized(values: Float32Array) -> Float32Array:
    totals = values.sum(axis=1, keepdims=True)
    result: Float32Array = np.divide(values, totals, out=np.zeros_like(values), where=totals > 0)
    return result
