"""Puts what is protected into a model's output: once, verbatim, in its place."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from regard.arrays import Float32Array
from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.edits import EditedText
from regard_service.passages.protection.items import Item, is_escaped_break
from regard_service.passages.protection.mark_pairs import best_run, pairs
from regard_service.passages.protection.matching import Forms, copies
from regard_service.passages.protection.numerals import currency_end
from regard_service.passages.protection.options import ProtectionOptions
from regard_service.passages.protection.rules.finding import find
from regard_service.passages.protection.rules.kinds import NUMERIC, Kind
from regard_service.passages.protection.words import word_map
from regard_service.passages.spacing import is_spaced

_MIN_SHARE = 0.4
"""A word was made of an item if the item has at least this share of its weights."""
_SOME_SHARE = 0.1
"""A number of another value was made of a number if that has at least this share."""
_GAP = re.compile("  +")
_OPENING, _CLOSING = "([{<\"'«„“‘¿¡", ")]}>\"'»”’.,;:!?…%"


class Placed(NamedTuple):
    """An item, and its range in the model's input; the range of one that the model does not read is empty.

    Attributes:
        before, after: the character of the text right before it, and the one right behind it; "" for white space.
    """

    item: Item
    source: Span
    before: str = ""
    after: str = ""


class _Edit(NamedTuple):
    span: Span
    order: int
    new: str


def place(
    aligned: AlignedText, items: Sequence[Placed], options: ProtectionOptions, elsewhere: Sequence[str] = ()
) -> EditedText:
    """Returns the edits that put every item into the target.

    In three rounds: stand-ins and copies that the model wrote are replaced, and the surplus ones deleted; what is
    missing takes the place of the words that the model made of it, by the weights; what no word was made of is inserted
    where its neighbours are.

    Args:
        elsewhere: what stands beside the target, and not in it.
    """
    placing = _Placing(aligned, items, options)
    placing.take_written(elsewhere)
    placing.take_aligned()
    placing.insert_missing()
    if items:
        placing.close_gaps()
    return EditedText.replacing(aligned.target, placing.edits())


class _Placing:
    def __init__(self, aligned: AlignedText, items: Sequence[Placed], options: ProtectionOptions) -> None:
        self._source, self._target = aligned.source, aligned.target
        self._forms = Forms(options)
        self._is_spaced = is_spaced(options.target_language)
        self._items = list(items)
        self._missing = set(range(len(items)))
        self._map = word_map(aligned)
        self._edits: list[_Edit] = []
        self._taken: list[Span] = []  # in order

    def edits(self) -> list[tuple[Span, str]]:
        """Returns the replacements, in order."""
        return [(edit.span, edit.new) for edit in sorted(self._edits)]

    def take_written(self, elsewhere: Sequence[str] = ()) -> None:
        """Replaces what the model wrote of the items: their stand-ins, or themselves."""
        groups: dict[tuple[str, bool], list[int]] = defaultdict(list)
        for index, (item, *_) in enumerate(self._items):
            if item.stand_in != "":
                groups[item.stand_in or item.text, item.kind in NUMERIC].append(index)
        # Long ones first: "1.024" is no place for "24", nor a URL for the "{id}" within it.
        for (_, is_number), indexes in sorted(groups.items(), key=lambda group: -len(group[0][0])):
            item = self._items[indexes[0]].item
            spans = self._forms.numbers(item, self._target) if is_number else self._forms.words(item, self._target)
            self._assign(indexes, [span for span in spans if self._is_free(span)])
        self._delete_surplus(elsewhere)

    def _assign(self, indexes: list[int], spans: list[Span]) -> None:
        """Gives ranges of the target to items that are written alike: those that the weights favour, in order."""
        chosen, rest = self._favoured(indexes, spans)
        for index, span in zip(self._favoured_items(indexes, chosen), chosen, strict=True):
            self._put(index, span)
        if self._is_surplus_certain(indexes):
            for span in rest:
                if self._is_free(span):  # a deletion takes the white space beside it, which may be an item, too
                    self._delete(span)

    def _is_surplus_certain(self, indexes: list[int]) -> bool:
        """Whether more copies than items are the model's fault: the source holds no others."""
        item = self._items[indexes[0]].item
        if item.stand_in:
            return item.kind is not Kind.ENTITY
        return item.kind not in NUMERIC and item.text not in self._source_beside_items()

    def _favoured(self, indexes: list[int], spans: list[Span]) -> tuple[list[Span], list[Span]]:
        if len(spans) <= len(indexes):
            return spans, []
        mass = sum((self._mass(index) for index in indexes), np.zeros(len(self._map.words), np.float32))
        ranked = sorted(range(len(spans)), key=lambda i: -self._share(mass, spans[i]))
        chosen = set(ranked[: len(indexes)])
        return [s for i, s in enumerate(spans) if i in chosen], [s for i, s in enumerate(spans) if i not in chosen]

    def _favoured_items(self, indexes: list[int], spans: list[Span]) -> list[int]:
        if len(spans) == len(indexes):
            return indexes
        left, chosen = list(indexes), []
        for span in spans:
            best = max(left, key=lambda index: self._share(self._mass(index), span))
            left.remove(best)
            chosen.append(best)
        return chosen

    def _mass(self, index: int) -> Float32Array:
        return self._map.mass(self._items[index].source)

    def _share(self, mass: Float32Array, span: Span) -> float:
        """Returns the largest share among the words of a range."""
        inside = [mass[i] for i, word in enumerate(self._map.words) if word.start < span.end and span.start < word.end]
        return float(max(inside, default=0.0))

    def _delete_surplus(self, elsewhere: Sequence[str]) -> None:
        """Deletes what the model wrote of an item beside its place."""
        verbatim = {item.text for item, *_ in self._items if item.kind not in NUMERIC} | set(elsewhere)
        verbatim |= {text[slice(*finding.span)] for text in verbatim for finding in find(text)}
        beside = self._source_beside_items()
        for text in sorted(verbatim, key=len, reverse=True):
            if text.strip() and text not in beside:
                for span in copies(text, self._target):
                    if self._is_free(span):
                        self._delete(span)

    def _source_beside_items(self) -> str:
        """Returns what the model reads between the items; each item is a line break."""
        pieces, end = [], 0
        for _, span, *_ in self._items:
            pieces.append(self._source[end : span.start])
            end = span.end
        return "\n".join([*pieces, self._source[end:]])

    def take_aligned(self) -> None:
        """Puts missing items in the place of the words that the model made of them."""
        self._take_wrong_numbers()
        for index in sorted(self._missing):
            if self._items[index].source.start < self._items[index].source.end and self._map.is_measured:
                span = self._made_of(index)
                if span is not None:
                    self._put(index, span)

    def _take_wrong_numbers(self) -> None:
        """Puts missing numbers in the place of numbers of another value that the model made of them."""
        missing = [i for i in sorted(self._missing) if self._items[i].item.kind in NUMERIC]
        if not missing:
            return
        spans = [span for span in self._forms.digits(self._target) if self._is_free(span)]
        pairs = [(self._share(self._mass(index), span), index, span) for index in missing for span in spans]
        for share, index, span in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
            is_sure = share >= _SOME_SHARE or len(spans) <= len(missing)
            if is_sure and index in self._missing and self._is_free(span):
                self._put(index, span)

    def _made_of(self, index: int) -> Span | None:
        """Returns the words around the one with the largest share that were made of an item."""
        words, mass = self._map.words, self._mass(index)
        is_free = np.array([self._is_free(word) and self._target[word.start].isalnum() for word in words], bool)
        if not is_free.any():
            return None
        best = int(np.argmax(np.where(is_free, mass, -1.0)))
        if mass[best] < _MIN_SHARE:
            return None
        first = last = best
        while first > 0 and mass[first - 1] >= _MIN_SHARE and self._is_joined(is_free, first - 1):
            first -= 1
        while last + 1 < len(words) and mass[last + 1] >= _MIN_SHARE and self._is_joined(is_free, last):
            last += 1
        return Span(words[first].start, words[last].end)

    def _is_joined(self, is_free: NDArray[np.bool_], word: int) -> bool:
        """Whether a word, the next one and what is between them are free: white space may be an item, too."""
        words = self._map.words
        return bool(is_free[word : word + 2].all()) and self._is_free(Span(words[word].end, words[word + 1].start))

    def insert_missing(self) -> None:
        """Inserts the items that no word was made of, each between the words made of its neighbours."""
        places = self._pair_places()
        for index in sorted(self._missing):
            position, is_inside_left, is_inside_right = places.get(index) or (self._position(index), False, False)
            text = self._forms.placed(self._items[index].item)
            before, after = self._spaces(self._items[index], position)
            new = ("" if is_inside_left else before) + text + ("" if is_inside_right else after)
            span = self._space_of_break(self._items[index], position)
            if span.start < span.end:
                self._take(span, index, text)
            else:
                self._edits.append(_Edit(span, index, new))
        self._missing.clear()

    def _space_of_break(self, placed: Placed, position: int) -> Span:
        """Returns the space that the model read and wrote instead of an escaped break; empty for other items."""
        is_break = is_escaped_break(placed.item.text) and placed.before != "" and placed.after != ""
        for space in (Span(position, position + 1), Span(position - 1, position)):
            if is_break and position > 0 and self._target[slice(*space)] == " " and self._is_free(space):
                return space
        return Span(position, position)

    def _pair_places(self) -> dict[int, tuple[int, bool, bool]]:
        """Returns the places of paired marks: around the words that were made of what they stand around.

        Returns:
            by index of the item: its position, and whether a word of the pair is glued to its left, and to its right.
        """
        places: dict[int, tuple[int, bool, bool]] = {}
        if not self._map.words:
            return places
        for opening, closing in pairs(self._items):
            inside = Span(self._items[opening].source.end, self._items[closing].source.start)
            if {opening, closing} <= self._missing and inside.start < inside.end:
                words = self._without_edge_marks(best_run(2 * self._map.mass(inside) - 1), inside)
                start, end = self._map.words[words.start].start, self._map.words[words.end - 1].end
                if self._is_open(start) and self._is_open(end):
                    places[opening] = start, False, self._items[opening].after != ""
                    places[closing] = end, self._items[closing].before != "", False
        return places

    def _without_edge_marks(self, run: Span, source: Span) -> Span:
        """Returns a run of words without the punctuation at its ends where the range of the source has none."""
        are_words = [self._target[word.start].isalnum() for word in self._map.words[run.start : run.end]]
        if not any(are_words):
            return run
        first, last = self._source[source.start], self._source[source.end - 1]
        start = run.start + are_words.index(True) if first.isalnum() else run.start
        return Span(start, run.end - are_words[::-1].index(True) if last.isalnum() else run.end)

    def close_gaps(self) -> None:
        """Makes one space of several that the model wrote."""
        for match in _GAP.finditer(self._target):
            span = Span(match.start() + 1, match.end())
            if self._is_free(span):
                self._take(span, -1, "")

    def _spaces(self, placed: Placed, position: int) -> tuple[str, str]:
        """Returns what separates an inserted item from the text before it and after it."""
        left, right = self._target[:position][-1:], self._target[position : position + 1]
        is_left_near = not left or left.isspace() or left in _OPENING or _are_alike(placed.before, left)
        is_right_near = not right or right.isspace() or right in _CLOSING or _are_alike(placed.after, right)
        return "" if is_left_near or not self._is_spaced else " ", "" if is_right_near or not self._is_spaced else " "

    def _position(self, index: int) -> int:
        """Returns the place between two words that contradicts the weights least."""
        placed = self._items[index]
        words, source = self._map.words, placed.source
        if not words:
            return len(self._target)
        before, after = self._map.before(source.start), self._map.after(source.end)
        wrong = np.concatenate([[0], np.cumsum(after)]) + np.concatenate([np.cumsum(before[::-1])[::-1], [0]])
        previous, following = self._map.neighbours(source)
        if self._source[: source.start].rstrip()[-1:].isalnum():
            previous = previous * [self._target[word.start].isalnum() for word in words]
        is_before_word = placed.after.isalnum() and not placed.before.isalnum()
        near = (1 if is_before_word else 2.1) * np.concatenate([[0], previous]) + 2 * np.concatenate([following, [0]])
        places = [words[0].start, *(word.end for word in words)]
        if is_before_word:
            places = [*(word.start for word in words), words[-1].end]
        is_open = np.array([self._is_open(place) for place in places], bool)
        return places[int(np.argmax(np.where(is_open, near - wrong, -np.inf)))]

    def _is_open(self, position: int) -> bool:
        """Whether a position is not in the middle of an edit."""
        at = bisect_left(self._taken, position, key=lambda span: span.end)
        return at == len(self._taken) or not self._taken[at].start < position < self._taken[at].end

    def _is_free(self, span: Span) -> bool:
        """Whether no edit overlaps a range."""
        at = bisect_left(self._taken, span.start + 1, key=lambda taken: taken.end)
        return at == len(self._taken) or self._taken[at].start >= span.end

    def _put(self, index: int, span: Span) -> None:
        item = self._items[index].item
        if item.kind is Kind.AMOUNT:
            span = Span(span.start, currency_end(item.text, self._target, span.end))
        self._take(span, index, self._forms.put(item, self._target[slice(*span)]))
        self._missing.discard(index)

    def _delete(self, span: Span) -> None:
        """Deletes a range with the white space before it; or puts a space in its place."""
        start, end = span
        is_first, is_last = start == 0, end == len(self._target)
        if not is_first and self._target[start - 1].isspace() and self._is_free(Span(start - 1, start)):
            start -= 1
        elif not is_last and self._target[end].isspace() and self._is_free(Span(end, end + 1)):
            end += 1
        is_joining = not (is_first or is_last) and (start, end) == span
        self._take(Span(start, end), -1, " " if is_joining else "")

    def _take(self, span: Span, order: int, new: str) -> None:
        self._edits.append(_Edit(span, order, new))
        self._taken.insert(bisect_left(self._taken, span), span)


def _are_alike(character: str, other: str) -> bool:
    """Whether two characters are the same, or both of words."""
    return character != "" and (character == other or (character.isalnum() and other.isalnum()))
