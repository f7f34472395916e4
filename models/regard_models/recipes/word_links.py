"""Which word of a translation translates which source word, learned from sentence pairs alone.

IBM Model 1 (Brown et al. 1993), then its reparametrized Model 2 (Dyer et al. 2013, equation 1), which prefers links
near the diagonal; in both directions. A link is kept where the product of both directions' posteriors is large
(alignment by agreement, Liang et al. 2006, section 3.2): few links, but sure ones.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Links = tuple[tuple[int, int], ...]
"""Positions of linked words: (source, target), from 0, as `split_words` counts them."""

MAX_WORDS = 60  # of a side; longer pairs get no links
TENSION = 4.0  # of the diagonal prior (Dyer et al. 2013)
NULL_SHARE = 0.08  # prior probability that a word translates no word
MIN_AGREEMENT = 0.25  # product of both directions' posteriors

_WORD = re.compile(r"\w+|[^\w\s]")


def word_spans(text: str) -> list[tuple[int, int]]:
    """Start and end, in characters, of each word and of each punctuation mark."""
    return [match.span() for match in _WORD.finditer(text)]


def split_words(text: str) -> list[str]:
    """The words and punctuation marks of a text."""
    return _WORD.findall(text)


def link_words(pairs: Sequence[tuple[str, str]]) -> list[Links]:
    """Links the words of each pair of a source and its translation, in the order of the pairs."""
    cells = _Cells.of(pairs)
    agreement = _posteriors(cells, by_target=True) * _posteriors(cells, by_target=False)
    chosen = np.flatnonzero(agreement >= MIN_AGREEMENT)
    links: list[list[tuple[int, int]]] = [[] for _ in pairs]
    columns = (cells.pair[chosen], cells.source_at[chosen], cells.target_at[chosen])
    for pair, source_at, target_at in zip(*(column.tolist() for column in columns), strict=True):
        links[pair].append((source_at, target_at))
    return [tuple(each) for each in links]


@dataclass(frozen=True)
class _Cells:
    """Every combination of a source word and a target word of the same pair; all arrays are [cells].

    Attributes:
        pair: the pair's number; source_at, target_at: positions of the words.
        source_row, target_row: number of the source (target) word among all words of all pairs.
        kind: number of the combination of word types; kind_source, kind_target: [kinds], its two word types.
        prior: weight of the diagonal prior.
    """

    pair: NDArray[np.int32]
    source_at: NDArray[np.int32]
    target_at: NDArray[np.int32]
    source_row: NDArray[np.int32]
    target_row: NDArray[np.int32]
    kind: NDArray[np.int64]
    kind_source: NDArray[np.int64]
    kind_target: NDArray[np.int64]
    prior: NDArray[np.float32]

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]]) -> "_Cells":
        ids: tuple[dict[str, int], dict[str, int]] = ({}, {})
        grids: list[tuple[NDArray[np.int32], ...]] = []
        types: list[NDArray[np.int64]] = []
        rows = [0, 0]
        for number, texts in enumerate(pairs):
            source, target = (
                np.array([ids[side].setdefault(word, len(ids[side])) for word in split_words(text.lower())], np.int64)
                for side, text in enumerate(texts)
            )
            if 0 < len(source) <= MAX_WORDS and 0 < len(target) <= MAX_WORDS:
                at = np.indices((len(target), len(source)), np.int32).reshape(2, -1)
                grids.append((np.full(at.shape[1], number, np.int32), at[1], at[0], at[1] + rows[0], at[0] + rows[1]))
                types.append(((source[None] << 32) + target[:, None]).ravel())
                rows = [rows[0] + len(source), rows[1] + len(target)]
        pair, source_at, target_at, source_row, target_row = (
            np.concatenate(column) for column in zip(*grids, strict=True)
        )
        combined, kind = np.unique(np.concatenate(types), return_inverse=True)
        lengths = np.bincount(source_row).size, np.bincount(target_row).size
        prior = _diagonal(source_at, target_at, source_row, target_row, lengths)
        return cls(
            pair, source_at, target_at, source_row, target_row, kind, combined >> 32, combined & 0xFFFFFFFF, prior
        )


def _diagonal(
    source_at: NDArray[np.int32],
    target_at: NDArray[np.int32],
    source_row: NDArray[np.int32],
    target_row: NDArray[np.int32],
    num_rows: tuple[int, int],
) -> NDArray[np.float32]:
    """exp(-tension * |i / m - j / n|) of each cell."""
    width = np.bincount(target_row, minlength=num_rows[1])[target_row]  # source words of the cell's pair
    height = np.bincount(source_row, minlength=num_rows[0])[source_row]
    distance = np.abs((source_at + 0.5) / width - (target_at + 0.5) / height)
    return np.exp(-TENSION * distance).astype(np.float32)


def _posteriors(cells: _Cells, *, by_target: bool) -> NDArray[np.float32]:
    """The probability of each cell that its words are linked: float32 [cells].

    Args:
        by_target: each target word chooses among the source words; otherwise the reverse.
    """
    rows, given = (cells.target_row, cells.kind_source) if by_target else (cells.source_row, cells.kind_target)
    num_rows = int(rows.max()) + 1
    probability = np.ones(len(given), np.float64)
    for iteration in range(6):
        prior = np.ones_like(cells.prior) if iteration < 3 else cells.prior
        posterior = _expect(probability[cells.kind], prior, rows, num_rows)
        counts = np.bincount(cells.kind, posterior, minlength=len(given))
        probability = (counts + 1e-6) / (np.bincount(given, counts)[given] + 1e-3)
    return _expect(probability[cells.kind], cells.prior, rows, num_rows).astype(np.float32)


def _expect(
    probability: NDArray[np.float64], prior: NDArray[np.float32], rows: NDArray[np.int32], num_rows: int
) -> NDArray[np.float64]:
    """Normalizes prior * probability over each row, beside a constant for the empty word."""
    prior_sums = np.bincount(rows, prior, minlength=num_rows)
    weight = probability * prior / prior_sums[rows] * (1 - NULL_SHARE)
    sums = np.bincount(rows, weight, minlength=num_rows) + NULL_SHARE * 1e-4
    posterior: NDArray[np.float64] = weight / sums[rows]
    return posterior
