"""subword-nmt's byte pairs (Sennrich et al. 2016): a word's characters, merged in the order of a list of pairs."""

import heapq
from collections import defaultdict
from collections.abc import Sequence

END = "</w>"
VERSIONS = ("0.1", "0.2")
MAX_WORDS, MAX_WORD_CHARACTERS = 20_000, 32  # that are kept


class Merges:
    """Cuts words into pieces. Safe in several threads.

    Args:
        pairs: the most frequent first; of a pair that comes again, only the first counts.
        version: of the file. In "0.1" the end of a word is a symbol, in "0.2" a part of its last character.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]], version: str) -> None:
        if version not in VERSIONS:
            raise ValueError(f"version {version} of subword-nmt; known are {', '.join(VERSIONS)}")
        self._ranks: dict[tuple[str, str], int] = {}
        for rank, pair in enumerate(pairs):
            self._ranks.setdefault(pair, rank)
        self._has_own_end = version == "0.1"
        self._known: dict[str, tuple[str, ...]] = {}

    def cut(self, word: str) -> tuple[str, ...]:
        """Returns the pieces of a word that is not empty."""
        found = self._known.get(word)
        if found is None:
            found = self._cut(word)
            if len(word) <= MAX_WORD_CHARACTERS:
                if len(self._known) >= MAX_WORDS:
                    self._known.clear()
                self._known[word] = found
        return found

    def _cut(self, word: str) -> tuple[str, ...]:
        symbols = [*word, END] if self._has_own_end else [*word[:-1], word[-1] + END]
        *first, last = _Chain(symbols, self._ranks).merged()
        last = last.replace(END, "")
        return (*first, last) if last else tuple(first)


class _Chain:
    """A word's symbols while they are merged: O(n log n), as a word may be as long as a text."""

    def __init__(self, symbols: list[str], ranks: dict[tuple[str, str], int]) -> None:
        self._symbols, self._ranks = symbols, ranks
        self._next = [*range(1, len(symbols)), -1]
        self._before = [*range(-1, len(symbols) - 1)]
        self._places: defaultdict[int, list[int]] = defaultdict(list)  # of each pair, by its rank
        self._queue: list[int] = []
        for place in range(len(symbols) - 1):
            self._add(place)

    def merged(self) -> list[str]:
        """Merges the first pair of the list everywhere, from left to right, as long as there is one."""
        while self._queue:
            rank = heapq.heappop(self._queue)
            for place in sorted(self._places.pop(rank)):
                if self._rank(place) == rank:
                    self._merge(place)
        found, place = [], 0
        while place >= 0:
            found.append(self._symbols[place])
            place = self._next[place]
        return found

    def _rank(self, place: int) -> int | None:
        """The rank of the pair that begins at a place; None if there is none."""
        following = self._next[place]
        return None if following < 0 else self._ranks.get((self._symbols[place], self._symbols[following]))

    def _add(self, place: int) -> None:
        rank = self._rank(place)
        if rank is not None:
            if rank not in self._places:
                heapq.heappush(self._queue, rank)
            self._places[rank].append(place)

    def _merge(self, place: int) -> None:
        second = self._next[place]
        self._symbols[place] += self._symbols[second]
        self._symbols[second] = ""
        after = self._next[place] = self._next[second]
        self._next[second] = -1
        if after >= 0:
            self._before[after] = place
            self._add(place)
        if self._before[place] >= 0:
            self._add(self._before[place])
