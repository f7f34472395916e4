"""The words of the target that each tag of the source goes around.

A pair of tags goes around the run of words whose weight on the words between the tags exceeds the weight on the others
by most, and which is about as long (`intervals`). Pairs keep their nesting; those side by side do not overlap: the
surest comes first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from regard.arrays import BoolArray
from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.markup.affinity import affinity
from regard_service.passages.markup.edges import Edges
from regard_service.passages.markup.intervals import Worth
from regard_service.passages.markup.tree import Node, descendants
from regard_service.passages.markup.words import covered, is_mark, words

_DECAY = 0.5  # how much less each further word of the source counts for the place of a tag by itself
_CERTAIN = 0.5  # a weight with which a word of the target stands for one of the source
_INSIDE = 0.05  # by how much more weight inside counts than outside: words apart are worth what is between them


@dataclass
class Placement:
    """Where the nodes of a segment go.

    Attributes:
        places: the characters of the target that each node goes around.
        removed: protected texts whose tags cannot stand where the target has them; they are written at their places.
    """

    places: dict[Node, Span] = field(default_factory=dict)
    removed: list[Span] = field(default_factory=list)


def place(root: Node, aligned: AlignedText) -> Placement:
    """Places the nodes of a segment.

    Args:
        root: its spans are positions in `aligned.source`.
    """
    return _Placer(root, aligned).run()


class _Placer:
    """Places parents before their children."""

    def __init__(self, root: Node, aligned: AlignedText) -> None:
        self._root = root
        self._aligned = aligned
        self._source, self._target = words(aligned.source), words(aligned.target)
        self._are_source_words = _are_words(aligned.source, self._source)
        self._are_target_words = _are_words(aligned.target, self._target)
        self._weights = affinity(aligned, self._source, self._target)
        self._edges = Edges(aligned, self._source, self._target)
        self._found = self._occurrences()
        self._held = self._held_words()
        self._placed = Placement({root: Span(0, len(aligned.target))})
        self._ranges: dict[Node, range] = {root: range(len(self._target))}

    def run(self) -> Placement:
        """Places all nodes."""
        parents = [self._root]
        while parents:
            parent = parents.pop()
            taken = self._place_pairs(parent)
            points: dict[int, Span] = {}
            for node in parent.children:
                at = node.source.start
                if node not in self._placed.places:
                    if at not in points:
                        points[at] = self._point(at, parent, taken)
                    self._placed.places[node] = self._blank(points[at]) if node.source.end > at else points[at]
                    self._ranges[node] = range(0)
            parents += [node for node in parent.children if node.children]
        return self._placed

    # Protected texts.

    def _occurrences(self) -> dict[Node, Span]:
        """Finds the protected texts in the target, and makes their words stand for one another."""
        found: dict[Node, Span] = {}
        taken: dict[str, set[int]] = {}
        for node, _ in descendants(self._root):
            if not node.is_protected:
                continue
            text = self._aligned.source[slice(*node.source)]
            used = taken.setdefault(text, set())
            places = [Span(at, at + len(text)) for at in _finds(self._aligned.target, text) if at not in used]
            if places:
                found[node] = max(places, key=lambda place: self._mass(place, node.source))
                used.add(found[node].start)
        for node, place in found.items():
            rows, columns = covered(self._target, *place), covered(self._source, *node.source)
            self._weights[rows.start : rows.stop] = 0
            self._weights[rows.start : rows.stop, columns.start : columns.stop] = 1 / max(1, len(columns))
        return found

    def _mass(self, place: Span, source: Span) -> float:
        rows, columns = covered(self._target, *place), covered(self._source, *source)
        return float(self._weights[rows.start : rows.stop, columns.start : columns.stop].sum())

    def _held_words(self) -> dict[Node, range]:
        """Returns the words that each pair must go around: those of the protected texts in it."""
        held = {node: covered(self._target, *place) for node, place in self._found.items()}
        for node, parent in reversed(list(descendants(self._root))):
            if node in held:
                mine, others = held[node], held.get(parent, held[node])
                held[parent] = range(min(mine.start, others.start), max(mine.stop, others.stop))
        return held

    # Pairs.

    def _place_pairs(self, parent: Node) -> list[range]:
        """Places the pairs directly in another, and protected texts; returns their words."""
        pairs = [node for node in parent.children if not (self._is_blank(node) or self._is_within_word(node))]
        scores = {node: self._scores(node) for node in pairs}
        free = _Free(self._ranges[parent], {node: self._held[node] for node in pairs if node in self._held})
        # What holds protected texts has least choice; the others follow, surest first.
        wishes = {node: scores[node].of(self._interval(node, parent, scores[node], free)) for node in pairs}
        taken: list[range] = []
        for node in sorted(pairs, key=lambda node: (node not in self._held, -wishes[node])):
            chosen = self._interval(node, parent, scores[node], free)
            if not chosen:
                self._lose(node)
                continue
            free.take(chosen)
            taken.append(chosen)
            self._ranges[node] = chosen
            self._placed.places[node] = self._characters(node, parent, chosen)
        return taken

    def _lose(self, node: Node) -> None:
        """Gives up the words of a pair: it is placed as a tag by itself, and so is all in it."""
        self._ranges[node] = range(0)
        lost = [node, *(inner for inner, _ in descendants(node))]
        self._placed.removed += [self._found.pop(each) for each in lost if each in self._found]
        for each in lost:
            self._held.pop(each, None)

    def _scores(self, node: Node) -> Worth:
        """Returns what intervals are worth: the weight on the words in a pair, less that on the others."""
        columns = covered(self._source, *node.source)
        inside = self._weights[:, columns.start : columns.stop].sum(axis=1)
        scores = (2 + _INSIDE) * inside - self._weights.sum(axis=1)
        starts, ends = self._edges.bonuses(columns)
        inside_words = int(self._are_source_words[columns.start : columns.stop].sum())
        expected = inside_words * self._are_target_words.sum() / max(1, self._are_source_words.sum())
        return Worth(scores, starts, ends, self._are_target_words, float(expected))

    def _interval(self, node: Node, parent: Node, scores: Worth, free: "_Free") -> range:
        """Returns the words for a pair: of the free runs of words the interval with the largest sum."""
        allowed, held = self._ranges[parent], self._held.get(node)
        if node.is_protected and held is None:
            return range(0)
        if node.source == parent.source and not node.is_protected and len(parent.children) == 1:
            return allowed
        best, best_sum = range(0), -np.inf
        for run in free.runs(node):
            if held is not None and not (run.start <= held.start and held.stop <= run.stop):
                continue
            if node.is_protected and held is not None:
                return held
            starts_here = node.reaches_start and run.start == allowed.start
            ends_here = node.reaches_end and run.stop == allowed.stop
            found = scores.largest(run, held, fixed_start=starts_here, fixed_end=ends_here)
            if (total := scores.of(found)) > best_sum:
                best, best_sum = found, total
        return best

    def _characters(self, node: Node, parent: Node, chosen: range) -> Span:
        """Returns the characters of a pair: its words, and the white space that the source has within its tags."""
        if node in self._found:
            return self._found[node]
        source, target = self._aligned.source, self._aligned.target
        outer = self._placed.places[parent]
        start, end = self._target[chosen.start].start, self._target[chosen.stop - 1].end
        if node.reaches_start and chosen.start == self._ranges[parent].start:
            start = outer.start
        elif source[node.source.start].isspace() and start > outer.start and target[start - 1].isspace():
            start -= 1
        if node.reaches_end and chosen.stop == self._ranges[parent].stop:
            end = outer.end
        elif source[node.source.end - 1].isspace() and end < outer.end and target[end].isspace():
            end += 1
        return Span(start, end)

    def _is_within_word(self, node: Node) -> bool:
        """Places a pair around a part of a word that the target has, too: "H<sub>2</sub>O"; whether it is one."""
        columns = covered(self._source, *node.source)
        if node.is_protected or len(columns) != 1:
            return False
        word = self._source[columns.start]
        before, after = node.source.start - word.start, node.source.end - word.end
        if before < 0 or after > 0 or not (before or after):
            return False
        text = self._aligned.source[slice(*word)]
        rows = [row for row, span in enumerate(self._target) if self._aligned.target[slice(*span)] == text]
        if not rows:
            return False
        row = max(rows, key=lambda row: float(self._weights[row, columns.start]))
        place = self._target[row]
        self._placed.places[node] = Span(place.start + before, place.end + after)
        self._ranges[node] = range(0)
        return True

    # Tags by themselves, and around white space.

    def _is_blank(self, node: Node) -> bool:
        """Whether there are no words in a node."""
        return not self._aligned.source[slice(*node.source)].strip()

    def _blank(self, place: Span) -> Span:
        """Returns a place with the white space behind it."""
        is_space = self._aligned.target[place.start : place.start + 1].isspace()
        return Span(place.start, place.start + is_space)

    def _point(self, at: int, parent: Node, taken: Sequence[range]) -> Span:
        """Returns the place of a tag by itself: between the words that say what is left and right of it."""
        allowed, outer = self._ranges[parent], self._placed.places[parent]
        if at <= parent.source.start or not allowed:
            return Span(outer.start, outer.start)
        if at >= parent.source.end:
            return Span(outer.end, outer.end)
        left = covered(self._source, 0, at).stop
        if (glued := self._behind(left - 1, at, allowed, taken)) is not None:
            return glued
        distances = np.arange(len(self._source)) - left
        nearness = np.where(distances < 0, _DECAY ** (-1.0 - distances), -(_DECAY ** np.maximum(distances, 0.0)))
        votes = self._weights[allowed.start : allowed.stop] @ nearness
        sums = np.concatenate([[0.0], np.cumsum(votes)])
        for words_of in taken:  # not into a pair
            sums[words_of.start - allowed.start + 1 : words_of.stop - allowed.start] = -np.inf
        gap = allowed.start + int(sums.argmax())
        if gap > allowed.start and not self._aligned.source[at - 1].isspace():
            position = self._target[gap - 1].end
        else:
            position = self._target[gap].start if gap < allowed.stop else outer.end
        return Span(position, position)

    def _behind(self, word: int, at: int, allowed: range, taken: Sequence[range]) -> Span | None:
        """Returns the place behind a word, for a tag that stands right behind it and before no other: "two<sup>1"."""
        source = self._aligned.source
        if source[at - 1].isspace() or source[at : at + 1].isalnum():
            return None
        weights = self._weights[allowed.start : allowed.stop, word]
        if weights.max() < _CERTAIN:
            return None
        gap = allowed.start + int(weights.argmax()) + 1
        gap = next((each.stop for each in taken if each.start < gap < each.stop), gap)  # not into a pair
        return Span(self._target[gap - 1].end, self._target[gap - 1].end)


class _Free:
    """The words of a parent that no pair has taken, without those that others hold."""

    def __init__(self, allowed: range, held: dict[Node, range]) -> None:
        self._allowed = allowed
        self._held = held
        self._is_free = np.ones(len(allowed), bool)

    def take(self, words_of: range) -> None:
        """Makes words belong to a pair."""
        self._is_free[words_of.start - self._allowed.start : words_of.stop - self._allowed.start] = False

    def runs(self, node: Node) -> Iterator[range]:
        """Yields the runs of words that a pair may have."""
        is_free, first = self._is_free.copy(), self._allowed.start
        for other, words_of in self._held.items():
            if other is not node:
                is_free[max(0, words_of.start - first) : max(0, words_of.stop - first)] = False
        edges = np.flatnonzero(np.diff(np.concatenate([[False], is_free, [False]]).astype(np.int8)))
        for start, stop in edges.reshape(-1, 2).tolist():
            yield range(first + start, first + stop)


def _are_words(text: str, spans: Sequence[Span]) -> BoolArray:
    """Returns bool [spans]: False for marks of punctuation."""
    return np.array([not is_mark(text[slice(*span)]) for span in spans], bool)


def _finds(text: str, part: str) -> Iterator[int]:
    """Yields where a part occurs in a text, not within words, without overlap."""
    at = text.find(part)
    while at >= 0:
        end = at + len(part)
        cuts_start = part[0].isalnum() and text[at - 1 : at].isalnum()
        cuts_end = part[-1].isalnum() and text[end : end + 1].isalnum()
        if cuts_start or cuts_end:
            at = text.find(part, at + 1)
        else:
            yield at
            at = text.find(part, end)
