"""Protects what must be copied: a stand-in goes through the model, and what it stands for takes its place."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.edits import EditedText
from regard_service.passages.protection.items import Item, is_all_copied, is_escaped_break, items_of
from regard_service.passages.protection.options import ProtectionOptions
from regard_service.passages.protection.placing import Placed, place
from regard_service.passages.protection.rules.kinds import Kind

_CLOSING = frozenset(".,;:!?)]}…")

_INLINE_TAG = re.compile(r"</?(?!(?:br|hr|p|div|li|td|tr)\b)[A-Za-z0-9]")
_Replacement = tuple[Span, str]
"""A range of the text, and what the model reads there."""


def protect(text: str, options: ProtectionOptions | None = None) -> "ProtectedText":
    """Replaces what must be copied by what a model copies.

    Args:
        text: one segment.
    """
    options = options or ProtectionOptions()
    items = items_of(text, options)
    if not items:
        return ProtectedText(EditedText.unchanged(text), is_all_copied(text, items), (), options)
    if is_all_copied(text, items):
        return ProtectedText(EditedText.unchanged(text), True, (), options)
    start, end = _core(text, items)
    inner = tuple(item for item in items if item.span.start >= start and item.span.end <= end)
    replacements = _replacements(text[:end], inner)
    cut = [(Span(0, start), ""), *(r for r in replacements if r is not None), (Span(end, len(text)), "")]
    edited = EditedText.replacing(text, [(span, new) for span, new in cut if span.start < span.end])
    placed = tuple(_placed(text, inner, replacements, -start))
    ends = tuple(item.text for item in items if item not in inner)
    return ProtectedText(edited, False, placed, options, text[:start], text[end:], ends)


def _placed(
    text: str, items: Sequence[Item], replacements: Sequence[_Replacement | None], shift: int
) -> Iterator[Placed]:
    """Yields each item with its range in the model's input."""
    for item, replacement in zip(items, replacements, strict=True):
        span, new = replacement or (item.span, item.text)
        start, end = item.span
        before, after = text[max(0, start - 1) : start].strip(), text[end : end + 1].strip()
        if item.kind is Kind.DECADE:
            after = ""  # the ending of "1990s" is not part of it, and does not come behind it in the translation
        yield Placed(item, Span(span.start + shift, span.start + shift + len(new)), before, after)
        shift += len(new) - (span.end - span.start)


def _core(text: str, items: Sequence[Item]) -> tuple[int, int]:
    """Returns the range of a text without the marks, such as emoji, at its two ends."""
    start, end = 0, len(text)
    for item in items:
        if item.kind is not Kind.MARK or text[start : item.span.start].strip():
            break
        start = item.span.end
    if start:
        start += len(text[start:]) - len(text[start:].lstrip())
    for item in reversed(items):
        if item.kind is not Kind.MARK or text[item.span.end : end].strip() or item.span.start < start:
            break
        end = item.span.start
    if end < len(text):
        end = max(start, len(text[:end].rstrip()))
    return start, end


def _replacements(text: str, items: Sequence[Item]) -> list[_Replacement | None]:
    """Returns each item's range and its stand-in; None for one that the model reads itself.

    An empty stand-in takes a space beside it along, so that none is left over; but not one that is an item.
    """
    starts = {item.span.start for item in items}
    replacements: list[_Replacement | None] = []
    free = 0  # where the item before, and what it took along, ends
    for item in items:
        start, end = item.span
        if item.stand_in == "":
            is_after_space = start == 0 or text[start - 1].isspace()
            if is_after_space and text[end : end + 1].isspace() and end not in starts:
                end += 1
            elif is_after_space and start > free and text[end : end + 1] in _CLOSING:
                start -= 1
        free = end
        new = " " if _is_break(text, item) else item.stand_in
        replacements.append(None if new is None else (Span(start, end), new))
    return replacements


def _is_break(text: str, item: Item) -> bool:
    """Whether an item that the model does not read separates two words by itself: "one<br>two", an escaped break."""
    start, end = item.span
    if item.stand_in == "" and is_escaped_break(item.text):
        return not (text[:start][-1:].isspace() or text[end : end + 1].isspace())
    is_between = text[max(0, start - 1) : start].isalnum() and text[end : end + 1].isalnum()
    return item.stand_in == "" and is_between and _INLINE_TAG.match(item.text) is None


@dataclass(frozen=True)
class ProtectedText:
    """A text of which parts are protected.

    Attributes:
        edited: from the text to the model's input.
        is_all_copied: there is nothing for a model: the text is its own translation.
        items: what is protected within the model's input.
        before, after: marks at the two ends, which the model does not read.
        ends: each of these marks.
    """

    edited: EditedText
    is_all_copied: bool
    items: tuple[Placed, ...]
    options: ProtectionOptions
    before: str = ""
    after: str = ""
    ends: tuple[str, ...] = ()

    @property
    def needs_alignment(self) -> bool:
        """Whether `restore` is better with weights."""
        return bool(self.items)

    def restore(self, aligned: AlignedText) -> AlignedText:
        """Puts what is protected into a model's output, each part once, verbatim, in its place.

        Args:
            aligned: of the model's input, `edited.text`; without weights, places are relative positions.

        Returns:
            the same tokens on the protected text and on its translation.
        """
        original = self.edited.original
        sources = tuple(None if span is None else self.edited.to_original(span) for span in aligned.source_spans)
        edited = place(aligned, self.items, self.options, self.ends)
        if self.before or self.after:
            end = len(edited.text)
            edited = edited.then([(Span(0, 0), self.before), (Span(end, end), self.after)])
        targets = tuple(None if span is None else edited.to_text(span) for span in aligned.target_spans)
        return AlignedText(original, edited.text, sources, targets, aligned.weights)
