"""A text made from another by replacements, with the positions of each in the other."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from regard_service.domain.results import Span


class Edit(NamedTuple):
    """One replacement: `original[before]` became `text[after]`. Either range may be empty."""

    before: Span
    after: Span


@dataclass(frozen=True)
class EditedText:
    """A text made from another. Outside of the edits both are equal.

    Attributes:
        edits: in order; no two touch.
    """

    original: str
    text: str
    edits: tuple[Edit, ...] = ()

    @classmethod
    def unchanged(cls, text: str) -> "EditedText":
        """Returns a text without edits."""
        return cls(text, text)

    @classmethod
    def replacing(cls, original: str, replacements: Iterable[tuple[Span, str]]) -> "EditedText":
        """Replaces ranges of a text.

        Args:
            replacements: each a range of `original` and the text in its place; in order, without overlap.
        """
        pieces: list[str] = []
        edits: list[Edit] = []
        end, length = 0, 0
        for span, replacement in replacements:
            if span.start < end:
                raise ValueError(f"the replacement of {span} overlaps the one before it, which ends at {end}")
            length += span.start - end
            edit = Edit(span, Span(length, length + len(replacement)))
            if edits and edits[-1].before.end == span.start:
                last = edits.pop()
                edit = Edit(Span(last.before.start, span.end), Span(last.after.start, edit.after.end))
            edits.append(edit)
            pieces += [original[end : span.start], replacement]
            end, length = span.end, length + len(replacement)
        return cls(original, "".join([*pieces, original[end:]]), tuple(edits))

    def to_original(self, span: Span) -> Span:
        """Returns the range of the original that a range of the text stands for.

        A range that overlaps an edit grows to contain it; one that only touches it does not.
        """
        return _translated(span, self._backwards)

    def to_text(self, span: Span) -> Span:
        """Returns the range of the text that a range of the original became. Grows as `to_original` does."""
        return _translated(span, self.edits)

    def then(self, replacements: Iterable[tuple[Span, str]]) -> "EditedText":
        """Replaces further ranges, given on `text`; a range that overlaps an earlier edit absorbs it."""
        return compose(self, EditedText.replacing(self.text, replacements))

    @cached_property
    def _backwards(self) -> tuple[Edit, ...]:
        """The edits from the text to the original."""
        return tuple(Edit(edit.after, edit.before) for edit in self.edits)


def compose(first: EditedText, second: EditedText) -> EditedText:
    """Returns the edits from `first.original` to `second.text`, where `second` edits `first.text`."""
    if first.text != second.original:
        raise ValueError("the second edits are of another text")
    if not first.edits or not second.edits:
        return second if second.edits else first
    # Edits of both lists on the text between; those that touch or overlap become one.
    merged: list[Span] = []
    for span in sorted([edit.after for edit in first.edits] + [edit.before for edit in second.edits]):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    edits = tuple(Edit(_containing(span, first._backwards), _containing(span, second.edits)) for span in merged)
    return EditedText(first.original, second.text, edits)


_Edits = Sequence[tuple[Span, Span]]
"""Ranges here, with the ranges there that stand for them; in order, without touching."""


def _translated(span: Span, edits: _Edits) -> Span:
    if span.start == span.end:
        return _containing(span, edits) if _is_within(span.start, edits) else Span(*[_start(span.start, edits)] * 2)
    return Span(_start(span.start, edits), _end(span.end, edits))


def _start(position: int, edits: _Edits) -> int:
    """Translates the start of a range: the start of the edit that it overlaps, if any."""
    index = bisect_right(edits, position, key=lambda edit: edit[0].start) - 1
    if index < 0:
        return position
    here, there = edits[index]
    return there.start if position < here.end else there.end + position - here.end


def _end(position: int, edits: _Edits) -> int:
    """Translates the end of a range: the end of the edit that it overlaps, if any."""
    index = bisect_left(edits, position, key=lambda edit: edit[0].start) - 1
    if index < 0:
        return position
    here, there = edits[index]
    return there.end + max(0, position - here.end)


def _is_within(position: int, edits: _Edits) -> bool:
    """Whether a position is in the middle of an edit, or the place of an empty one."""
    index = bisect_right(edits, position, key=lambda edit: edit[0].start) - 1
    return index >= 0 and (edits[index][0].start < position < edits[index][0].end or edits[index][0] == (position,) * 2)


def _containing(span: Span, edits: _Edits) -> Span:
    """Translates a range together with the edits that it touches."""
    start, end = _start(span.start, edits), _end(span.end, edits)
    first = bisect_left(edits, span.start, key=lambda edit: edit[0].end)
    last = bisect_right(edits, span.end, key=lambda edit: edit[0].start) - 1
    if first > last:
        return Span(start, end)
    return Span(min(start, edits[first][1].start), max(end, edits[last][1].end))
