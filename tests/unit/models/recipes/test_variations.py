"""Variations of pairs: what they write, and that the links still join the same words."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_models.recipes.pairs import Pair
from regard_models.recipes.variations import (
    Weighted,
    doubled_final_mark,
    join,
    lower_source,
    replace_word,
    title_source,
    upper,
    without_final_mark,
)
from regard_models.recipes.word_links import split_words

GERMAN = Pair("Where is Tom?", "Wo ist Tom?", "de", ((0, 0), (1, 1), (2, 2), (3, 3)))
SPANISH = Pair("Where is Tom?", "¿Dónde está Tom?", "es", ((0, 1), (1, 2), (2, 3), (3, 4)))
FRENCH = Pair("Where is Tom?", "Où est Tom ?", "fr", ((0, 0), (1, 1), (2, 2), (3, 3)))
VARIATIONS = [upper, lower_source, title_source, without_final_mark, doubled_final_mark]


def linked_words(pair: Pair) -> set[tuple[str, str]]:
    source, target = split_words(pair.source), split_words(pair.target)
    return {(source[i], target[j]) for i, j in pair.links}


def test_capitals_and_small_letters() -> None:
    rng = random.Random(0)
    assert upper(SPANISH, rng).target == "¿DÓNDE ESTÁ TOM?"
    assert (lower_source(GERMAN, rng).source, lower_source(GERMAN, rng).target) == ("where is tom?", "Wo ist Tom?")
    assert title_source(GERMAN, rng).source == "Where Is Tom?"
    assert upper(Pair("street", "die Straße", "de"), rng).target == "DIE STRASSE"


@pytest.mark.parametrize(
    ("pair", "target"), [(GERMAN, "Wo ist Tom"), (SPANISH, "Dónde está Tom"), (FRENCH, "Où est Tom")]
)
def test_the_final_mark_goes_on_both_sides_and_takes_the_opening_one_along(pair: Pair, target: str) -> None:
    shorter = without_final_mark(pair, random.Random(0))
    assert (shorter.source, shorter.target) == ("Where is Tom", target)
    assert ("Tom", "Tom") in linked_words(shorter)
    assert len(shorter.links) == 3


@pytest.mark.parametrize(
    "pair",
    [
        Pair("Hello. Who are you?", "Hallo. Wer bist du?", "de"),  # two sentences
        Pair("Stop!", "Halt.", "de"),  # other marks
        Pair("Hello", "Hallo", "de"),  # none
    ],
)
def test_other_pairs_keep_their_marks(pair: Pair) -> None:
    assert without_final_mark(pair, random.Random(0)) == pair


def test_doubled_marks_are_the_same_on_both_sides() -> None:
    for seed in range(10):
        doubled = doubled_final_mark(FRENCH, random.Random(seed))
        more = doubled.source.removeprefix("Where is Tom?")
        assert more in ("?", "!", "??")
        assert doubled.target == FRENCH.target + more
        assert all(first == second for first, second in linked_words(doubled) if first in "?!")


def test_a_replaced_word_is_linked_piece_by_piece() -> None:
    replaced = replace_word(SPANISH, "Tom", "{user}")
    assert (replaced.source, replaced.target) == ("Where is {user}?", "¿Dónde está {user}?")
    assert linked_words(replaced) == {
        ("Where", "Dónde"), ("is", "está"), ("{", "{"), ("user", "user"), ("}", "}"), ("?", "?"),
    }  # fmt: skip
    twice = Pair("Tom saw Tom.", "Tom sah Tom.", "de")
    assert replace_word(twice, "Tom", "x") is twice


def test_joined_pairs_keep_the_links_of_each() -> None:
    joined = join([GERMAN, GERMAN])
    assert joined.target == "Wo ist Tom? Wo ist Tom?"
    assert joined.links == (*GERMAN.links, *((i + 4, j + 4) for i, j in GERMAN.links))


@given(
    st.lists(
        st.sampled_from(["Tom", "the", "Straße", "ﬁne", "don't", "İzmir", "¿", "?", "!", ".", "3,5", "…"]), max_size=8
    ),
    st.sampled_from(VARIATIONS),
    st.integers(0, 99),
)
def test_links_stay_within_the_words(words: list[str], variation: object, seed: int) -> None:
    text = " ".join(words)
    links = tuple((at, at) for at in range(len(split_words(text))))
    assert callable(variation)
    varied = variation(Pair(text, text, "es", links), random.Random(seed))
    counts = len(split_words(varied.source)), len(split_words(varied.target))
    assert all(i < counts[0] and j < counts[1] for i, j in varied.links)


def test_shares_of_variations() -> None:
    weighted = Weighted(((upper, 0.25), (title_source, 0.25)))
    rng = random.Random(1)
    sources = [weighted(GERMAN, rng).source for _ in range(2000)]
    assert sources.count("WHERE IS TOM?") == pytest.approx(500, abs=80)
    assert sources.count("Where Is Tom?") == pytest.approx(500, abs=80)
    assert sources.count("Where is Tom?") == pytest.approx(1000, abs=100)
