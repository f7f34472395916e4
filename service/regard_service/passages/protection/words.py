"""The words of a target, and how much each was made of a range of the source."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from regard.arrays import Float32Array
from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText

_WORD = re.compile(r"\w++(?:[.,:'’\-]\w++)*+|[^\w\s]")


@dataclass(frozen=True)
class WordMap:
    """The words and marks of a target, with their share of every part of the source.

    Attributes:
        words: ranges of the target, in order.
        parts: ranges of the source, in order: tokens, or words if there are no weights.
        shares: float32 [words, parts]; each row sums to 1, or to 0 for a word without weights.
        is_measured: the shares are a model's weights, not relative positions.
    """

    words: tuple[Span, ...]
    parts: tuple[Span, ...]
    shares: Float32Array
    is_measured: bool

    def mass(self, source: Span) -> Float32Array:
        """Returns the share that each word has of a range of the source, float32 [words]."""
        return self._sum([i for i, p in enumerate(self.parts) if p.start < source.end and source.start < p.end])

    def before(self, position: int) -> Float32Array:
        """Returns the share that each word has of what ends before a position of the source, float32 [words]."""
        return self._sum([i for i, part in enumerate(self.parts) if part.end <= position])

    def after(self, position: int) -> Float32Array:
        """Returns the share that each word has of what starts after a position of the source, float32 [words]."""
        return self._sum([i for i, part in enumerate(self.parts) if part.start >= position])

    def neighbours(self, source: Span) -> tuple[Float32Array, Float32Array]:
        """Returns the shares of the part before a range of the source and of the part after it, float32 [words]."""
        before = [i for i, part in enumerate(self.parts) if part.end <= source.start][-1:]
        after = [i for i, part in enumerate(self.parts) if part.start >= source.end][:1]
        return self._sum(before), self._sum(after)

    def _sum(self, parts: list[int]) -> Float32Array:
        return np.asarray(self.shares[:, parts].sum(1), np.float32)


def word_map(aligned: AlignedText) -> WordMap:
    """Groups the weights by words; without weights, they follow the relative positions."""
    words = _spans(aligned.target)
    if aligned.weights is None or not aligned.weights.size:
        parts = _spans(aligned.source)
        return WordMap(words, parts, _diagonal(aligned, words, parts), is_measured=False)
    columns = [i for i, span in enumerate(aligned.source_spans) if span is not None and span.start < span.end]
    parts = tuple(span for span in aligned.source_spans if span is not None and span.start < span.end)
    shares = np.zeros((len(words), len(parts)), np.float32)
    weights = np.nan_to_num(aligned.weights[:, columns])
    for word, row in _rows(words, aligned.target_spans):
        shares[word] += weights[row]
    return WordMap(words, parts, _normalized(shares), is_measured=True)


def _spans(text: str) -> tuple[Span, ...]:
    return tuple(Span(*match.span()) for match in _WORD.finditer(text))


def _rows(words: Sequence[Span], tokens: Sequence[Span | None]) -> list[tuple[int, int]]:
    """Returns pairs (word, token) of what overlaps."""
    pairs: list[tuple[int, int]] = []
    word = 0
    for row, span in enumerate(tokens):
        if span is None or span.start >= span.end:
            continue
        while word > 0 and words[word - 1].end > span.start:
            word -= 1
        while word < len(words) and words[word].end <= span.start:
            word += 1
        index = word
        while index < len(words) and words[index].start < span.end:
            pairs.append((index, row))
            index += 1
        word = min(word, len(words) - 1) if words else 0
    return pairs


def _diagonal(aligned: AlignedText, words: Sequence[Span], parts: Sequence[Span]) -> Float32Array:
    """Returns weights that fall with the distance of the relative positions, float32 [words, parts]."""
    here = np.array([(w.start + w.end) / 2 for w in words], np.float32) / max(1, len(aligned.target))
    there = np.array([(p.start + p.end) / 2 for p in parts], np.float32) / max(1, len(aligned.source))
    distance = np.abs(here[:, None] - there[None, :])
    return _normalized(np.exp(-distance * max(8, 2 * len(parts))).astype(np.float32))


def _normalized(shares: Float32Array) -> Float32Array:
    sums = shares.sum(1, keepdims=True, dtype=np.float32)
    return np.asarray(np.divide(shares, sums, out=np.zeros_like(shares), where=sums > 0), np.float32)
