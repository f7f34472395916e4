"""Edited texts: positions of either text in the other, and edits of edits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.domain.results import Span
from regard_service.passages.edits import Edit, EditedText, compose

TEXTS = st.text("abc ", max_size=30)


@st.composite
def edited(draw: st.DrawFn, original: st.SearchStrategy[str] = TEXTS) -> EditedText:
    text = draw(original)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    spans = [Span(*pair) for pair in zip(cuts[::2], cuts[1::2], strict=False)]
    return EditedText.replacing(text, [(span, draw(st.text("XYZ", max_size=4))) for span in spans])


def test_a_replacement_moves_what_follows() -> None:
    text = EditedText.replacing("write to a@b.org now", [(Span(9, 16), "X")])
    assert text.text == "write to X now"
    assert text.to_original(Span(9, 10)) == Span(9, 16)
    assert text.to_original(Span(11, 14)) == Span(17, 20)
    assert text.to_text(Span(10, 12)) == Span(9, 10)  # within the edit: all of it
    assert text.to_text(Span(0, 5)) == Span(0, 5)


def test_a_deletion_and_an_insertion_have_places() -> None:
    text = EditedText.replacing("ab", [(Span(0, 1), ""), (Span(2, 2), "!")])
    assert text.text == "b!"
    assert text.to_original(Span(0, 1)) == Span(1, 2)
    assert text.to_original(Span(1, 2)) == Span(2, 2)


def test_overlapping_replacements_are_refused() -> None:
    with pytest.raises(ValueError, match="overlaps"):
        EditedText.replacing("abc", [(Span(0, 2), ""), (Span(1, 3), "")])


@given(edited())
def test_text_outside_of_the_edits_is_the_originals(text: EditedText) -> None:
    inside = {i for edit in text.edits for i in range(*edit.after)}
    for position in range(len(text.text)):
        if position not in inside:
            there = text.to_original(Span(position, position + 1))
            assert text.original[slice(*there)] == text.text[position]
            assert text.to_text(there) == Span(position, position + 1)


@given(edited(), st.data())
def test_a_range_within_the_text_stands_for_one_within_the_original(text: EditedText, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text.text)))
    end = data.draw(st.integers(start, len(text.text)))
    there = text.to_original(Span(start, end))
    assert 0 <= there.start <= there.end <= len(text.original)


@given(st.data())
def test_edits_of_edits_keep_what_neither_touched(data: st.DataObject) -> None:
    first = data.draw(edited())
    second = data.draw(edited(st.just(first.text)))
    both = compose(first, second)
    assert (both.original, both.text) == (first.original, second.text)
    end = 0
    rebuilt = []
    for edit in both.edits:
        rebuilt += [both.original[end : edit.before.start], both.text[slice(*edit.after)]]
        end = edit.before.end
    assert "".join([*rebuilt, both.original[end:]]) == both.text


class CountedSpan(Span):
    """A range that counts how often its start is read."""

    num_reads = 0

    @property
    def start(self) -> int:
        CountedSpan.num_reads += 1
        return self[0]


def test_composing_many_edits_does_not_take_quadratic_work() -> None:
    """A soft hyphen in every word of a page held the server up for a quarter of a minute."""
    count = 1000
    first = EditedText.replacing("ab" * count, [(Span(2 * i, 2 * i + 1), "") for i in range(count)])
    later = EditedText.replacing(first.text, [(Span(i, i), "-") for i in range(0, count, 2)])
    edits = tuple(Edit(CountedSpan(*edit.before), CountedSpan(*edit.after)) for edit in first.edits)
    composed = compose(EditedText(first.original, first.text, edits), later)
    assert composed.text == "-bb" * (count // 2)
    assert CountedSpan.num_reads < 200 * count
