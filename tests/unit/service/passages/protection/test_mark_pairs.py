"""Marks that open and close: which are pairs, and around which words they go."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.domain.results import Span
from regard_service.passages.protection.items import Item
from regard_service.passages.protection.mark_pairs import best_run, pairs
from regard_service.passages.protection.rules.kinds import Kind


class Mark(NamedTuple):
    item: Item
    before: str
    after: str


def mark(text: str, before: str = "", after: str = "") -> Mark:
    return Mark(Item(Span(0, len(text)), text, Kind.MARK, ""), before, after)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["<b>", "</b>"], [(0, 1)]),
        (["<b>", "<i>", "</i>", "</b>"], [(1, 2), (0, 3)]),
        (["<b>", "<i>", "</b>", "</i>"], [(0, 2)]),
        (["<br>", "<b>", "</B>"], [(1, 2)]),
        (["<b/>", "</b>"], []),
        (['<a href="x">', "</a>", "<a>"], [(0, 1)]),
        (["</b>", "<b>", "😀"], []),
    ],
)
def test_tags_of_one_name_are_pairs(texts: list[str], found: list[tuple[int, int]]) -> None:
    assert list(pairs([mark(text) for text in texts])) == found


def test_emphasis_opens_before_a_word_and_closes_behind_one() -> None:
    assert list(pairs([mark("**", "", "a"), mark("**", "b", "")])) == [(0, 1)]
    assert list(pairs([mark("**", "a", ""), mark("**", "", "b")])) == []
    assert list(pairs([mark("**", "", "a"), mark("*", "b", "")])) == []


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=12))
def test_the_best_run_has_the_largest_sum(gains: list[int]) -> None:
    run = best_run(np.array(gains, np.float32))
    sums = [sum(gains[a:b]) for a in range(len(gains)) for b in range(a + 1, len(gains) + 1)]
    assert sum(gains[slice(*run)]) == max(sums)
