r"""Marks that stand around words in plain text: "<b>red</b>", "**red**", "\textbf{red}"."""

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

from regard.arrays import Float32Array
from regard_service.domain.results import Span
from regard_service.passages.protection.items import Item

_TAG = re.compile(r"(?:<|&lt;)(?P<end>/?)(?P<name>[A-Za-z0-9][\w:-]*)[^<>]*?(?P<is_empty>/?)(?:>|&gt;)")
_COMMAND_OF_TEX = re.compile(r"\\[A-Za-z]+\*?\{")
_EMPHASIS = re.compile(r"(?P<mark>[*_~=]{1,3})")


class _Mark(Protocol):
    """An item with the characters of the text right beside it; "" for white space."""

    @property
    def item(self) -> Item: ...
    @property
    def before(self) -> str: ...
    @property
    def after(self) -> str: ...


def pairs(marks: Sequence[_Mark]) -> Iterator[tuple[int, int]]:
    """Yields the indexes of marks that open something and close it, inner pairs first; pairs never cross."""
    waiting: list[tuple[str, int]] = []
    for index, mark in enumerate(marks):
        name, opens, closes = _part(mark)
        place = next((n for n in reversed(range(len(waiting))) if waiting[n][0] == name), None) if closes else None
        if place is not None:
            yield waiting[place][1], index
            del waiting[place:]
        elif opens:
            waiting.append((name, index))


def _part(mark: _Mark) -> tuple[str, bool, bool]:
    """Returns what a mark is of, and whether it may open and close that."""
    tag = _TAG.fullmatch(mark.item.text)
    if tag is not None:
        is_pair = not tag["is_empty"]
        return tag["name"].lower(), is_pair and not tag["end"], is_pair and bool(tag["end"])
    if mark.item.text == "}" or _COMMAND_OF_TEX.fullmatch(mark.item.text) is not None:
        return "}", mark.item.text != "}", mark.item.text == "}"
    if _EMPHASIS.fullmatch(mark.item.text) is not None:
        return mark.item.text, mark.after != "", mark.before != ""
    return "", False, False


def best_run(gains: Float32Array) -> Span:
    """Returns the run of positions with the largest sum, of one position at least. Takes linear time.

    Args:
        gains: float32 [positions], at least one.
    """
    best, best_sum = Span(0, 1), float(gains[0])
    start, total = 0, 0.0
    for position, gain in enumerate(gains):
        if total <= 0:
            start, total = position, 0.0
        total += float(gain)
        if total > best_sum:
            best, best_sum = Span(start, position + 1), total
    return best
