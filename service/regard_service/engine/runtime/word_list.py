"""The words that a running batch chooses among: the union of its rows' shortlists, each row masked to its own.

A list's weights are inputs of the step graph. They lie in buffers of a few sizes, so that a bound call stays valid
while words are added.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from regard.arrays import Array, Float32Array, Int32Array, Int64Array
from regard_service.bundle import GraphSpec

LIST_IDS, LIST_BIAS, LIST_WORD_BIAS = "list_ids", "list_bias", "list_word_bias"
MIN_WORDS = 256  # of a buffer; more than the candidates of any step
GROWTH = 1.5  # of the sizes of buffers

Select = Callable[[Int64Array], Mapping[str, Array]]
"""Looks up the weights of words, by the names of the select graph's outputs; each has `words` as its last axis."""


class WordList:
    """The words of a running batch, and what the step graph reads of them.

    The first word is in every row's list, and its bias is finite: `log_normalizer` is computed from its logit.

    Attributes:
        size: words that the buffers hold. Those behind the union repeat the first, and are masked for every row.
        buffers: by the step graph's input name: `list_ids` int64 [size], `list_bias` float32 [slots, size], weights.
    """

    def __init__(self, select: Select, outputs: GraphSpec, max_requests: int, num_beams: int, vocab_size: int) -> None:
        self._select = select
        self._specs = [spec for spec in outputs.outputs if spec.name != LIST_WORD_BIAS]
        self._max_requests, self._num_beams = max_requests, num_beams
        self._by_size: dict[int, dict[str, Array]] = {}
        self._lists: dict[int, Int64Array] = {}  # by row
        self._positions: Int32Array = np.full(vocab_size, -1, np.int32)  # of each word in the union, or -1
        self._union: Int64Array = np.zeros(0, np.int64)
        self._word_bias: Float32Array = np.zeros(0, np.float32)
        self._use(MIN_WORDS)

    def write(self, lists: Mapping[int, Int64Array], live: Sequence[int]) -> None:
        """Gives rows their lists; the weights of all their words are looked up at once.

        Args:
            lists: ids by row, each once; the first is the first of every list.
            live: the other rows that are in use.
        """
        self._lists = {other: self._lists[other] for other in live if other not in lists} | dict(lists)
        missing = self._missing(list(lists.values()))
        if len(self._lists) > len(lists) and len(self._union) + len(missing) <= self.size:
            if missing.size:
                self._append(missing)
            for row, words in lists.items():
                self._mask(row, words)
        else:
            self._rebuild()

    def move(self, source_row: int, target_row: int) -> None:
        """Moves a row's list to another row."""
        self._lists[target_row] = self._lists.pop(source_row)
        bias = self.buffers[LIST_BIAS]
        bias[self._slots(target_row)] = bias[self._slots(source_row)]

    def inputs(self, num_slots: int) -> dict[str, Array]:
        """The buffers of the first slots, by the step graph's input name."""
        return {**self.buffers, LIST_BIAS: self.buffers[LIST_BIAS][:num_slots]}

    def _missing(self, lists: Sequence[Int64Array]) -> Int64Array:
        """The words of lists that the union lacks, each once."""
        found = [words[self._positions[words] < 0] for words in lists]
        return found[0] if len(found) == 1 else np.unique(np.concatenate(found))

    def _rebuild(self) -> None:
        """The union of the rows' lists, in a buffer with room for it."""
        lists = list(self._lists.values())
        self._positions[self._union] = -1
        if len(lists) == 1:
            union = lists[0]
        else:
            rest = np.unique(np.concatenate(lists))
            union = np.concatenate([lists[0][:1], rest[rest != lists[0][0]]])
        self._union, self._word_bias = union[:0], self._word_bias[:0]
        self._use(_size_for(len(union)))
        self.buffers[LIST_BIAS][...] = -np.inf
        self.buffers[LIST_IDS][...] = union[0]
        self._append(union)
        for row, words in self._lists.items():
            self._mask(row, words)

    def _append(self, words: Int64Array) -> None:
        """Adds words to the union; they are masked for every row."""
        start, end = len(self._union), len(self._union) + len(words)
        self.buffers[LIST_IDS][start:end] = words
        selected = self._select(words)
        for spec in self._specs:
            self.buffers[spec.name][..., start:end] = selected[spec.name]
        self._positions[words] = np.arange(start, end, dtype=np.int32)
        self._union = np.concatenate([self._union, words])
        self._word_bias = np.concatenate([self._word_bias, selected[LIST_WORD_BIAS]])

    def _mask(self, row: int, words: Int64Array) -> None:
        """Masks all words but a row's own."""
        positions = self._positions[words]
        bias = np.full(self.size, -np.inf, np.float32)
        bias[positions] = self._word_bias[positions]
        self.buffers[LIST_BIAS][self._slots(row)] = bias

    def _use(self, size: int) -> None:
        self.size = size
        if size not in self._by_size:
            self._by_size[size] = self._allocated(size)
        self.buffers = self._by_size[size]

    def _allocated(self, size: int) -> dict[str, Array]:
        buffers: dict[str, Array] = {
            LIST_IDS: np.zeros(size, np.int64),
            LIST_BIAS: np.full((self._max_requests * self._num_beams, size), -np.inf, np.float32),
        }
        for spec in self._specs:
            shape: list[Any] = [size if axis == "words" else axis for axis in spec.shape]
            buffers[spec.name] = np.zeros(shape, spec.dtype)
        return buffers

    def _slots(self, row: int) -> slice:
        return slice(row * self._num_beams, (row + 1) * self._num_beams)


def _size_for(num_words: int) -> int:
    """The smallest size of buffers that holds this many words, with some room for rows that join."""
    size = MIN_WORDS
    while size < num_words:
        size = int(size * GROWTH)
    return size
