"""The places at which long texts are cut."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.domain.results import Span
from regard_service.text.parts import cut


def spans_of(text: str) -> list[Span]:
    """Returns the spans of words and marks."""
    return [Span(*match.span()) for match in re.finditer(r"\w+|[^\w\s]", text)]


def cut_text(text: str, room: int) -> list[str]:
    spans = spans_of(text)
    return [text[spans[part.start].start : spans[part.stop - 1].end] for part in cut(text, spans, room)]


@pytest.mark.parametrize(
    ("text", "room", "parts"),
    [
        ("One two. Three four. Five.", 9, ["One two. Three four. Five."]),
        ("One two. Three four. Five.", 6, ["One two. Three four.", "Five."]),
        ("One two. Three four. Five.", 5, ["One two.", "Three four. Five."]),
        ("He said “No.” Then he left.", 8, ["He said “No.”", "Then he left."]),
        ("Is it 3.5 now? Yes", 7, ["Is it 3.5 now?", "Yes"]),
        ("a b c, i.e. d e f. G", 11, ["a b c, i.e. d e", "f. G"]),  # no sentence starts with a small letter
        ("a b.  c d. E f g", 5, ["a b.  c", "d. E f g"]),
        ("First line\nsecond line\n\nThird", 4, ["First line\nsecond line", "Third"]),
        ("これは猫。それは犬。", 3, ["これは猫。", "それは犬。"]),
        ("one two three four five", 2, ["one two", "three four", "five"]),
        ("No. A b c d e f g h", 5, ["No.", "A b c d e", "f g h"]),
    ],
)
def test_cuts_are_between_sentences_or_else_between_words(text: str, room: int, parts: list[str]) -> None:
    assert cut_text(text, room) == parts


def test_a_word_that_is_too_long_is_cut_between_characters() -> None:
    spans = [Span(0, 1), Span(1, 1), Span(1, 1), Span(1, 2), Span(2, 3), Span(2, 3), Span(2, 3), Span(3, 4)]
    assert cut("äöüß", spans, 3) == [range(1), range(1, 4), range(4, 7), range(7, 8)]


@given(st.text(alphabet="ab.! \n日。A", max_size=60), st.integers(1, 9))
def test_parts_fit_and_contain_every_token(text: str, room: int) -> None:
    spans = spans_of(text)
    parts = cut(text, spans, room)
    assert [index for part in parts for index in part] == list(range(len(spans)))
    assert all(0 < len(part) <= room for part in parts) or not spans


def test_a_text_of_marks_only_is_cut_like_others() -> None:
    """Where each mark begins a search of its own, this takes an hour, and pytest's timeout ends it."""
    assert [len(part) for part in cut_text("." * 500_000, 150_000)] == [150_000, 150_000, 150_000, 50_000]
