"""Preparation: the short way is the long way where it is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.calls.preparing import Preparation
from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.normalization.normalize import normalize
from regard_service.passages.protection.options import ProtectionOptions
from regard_service.passages.protection.patterns import compile_patterns
from regard_service.passages.protection.protect import protect
from regard_service.passages.segments import Segment, cut_text

WORDS = [
    "the",
    "The",
    "I",
    "A",
    "Tom's",
    "über",
    "Élan",
    "we're",
    "no",
    "com",
    "www",
    "May",
    "OK",
    "e",
    "x",
    "mr",
    "UFO",
]
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).flatmap(
    lambda words: st.sampled_from([" ".join(words), ", ".join(words)]).flatmap(
        lambda text: st.sampled_from([text + mark for mark in (".", "!", "?", "")])
    )
)


@given(texts, st.sampled_from(["en", "de", "fr", ""]))
def test_a_plain_sentence_needs_no_preparation(text: str, language: str) -> None:
    if Preparation(language, "de").is_plain(text):
        assert not normalize(text, language).edited.edits
        protected = protect(text, ProtectionOptions(language, "de"))
        assert not protected.edited.edits
        assert not protected.items
        assert not protected.is_all_copied
        assert [segment.span for segment in cut_text(text, language)] == [Span(0, len(text))]


@pytest.mark.parametrize(
    "text", ["Hello", "Call 911.", "a.b.", "THE END.", "See x@y.de.", "One. Two.", "Hi \u2026.", "A\nb."]
)
def test_all_else_takes_the_long_way(text: str) -> None:
    assert not Preparation("en", "de").is_plain(text)


def test_a_callers_patterns_are_looked_for_in_plain_sentences() -> None:
    preparation = Preparation("en", "de", compile_patterns(["knob"]))
    prepared = preparation.prepare("Press the knob.", Segment(Span(0, 15)))
    assert prepared.needs_alignment
    assert "knob" not in prepared.edited.text


@pytest.mark.parametrize(
    "text",
    [
        "Write to anna@example.com today.",
        "THE SHOP AT https://a.example IS CLOSED",
        "\ufeffIt costs $3.50",
        "Press {name} or %d now, \U0001f600 my friend",
    ],
)
def test_a_model_that_copies_gives_the_segment_back(text: str) -> None:
    prepared = Preparation("en", "en").prepare(text, Segment(Span(0, len(text))))
    assert prepared.edited.original == text
    spans = tuple(Span(i, i + 1) for i in range(len(prepared.edited.text)))
    aligned = AlignedText(prepared.edited.text, prepared.edited.text, spans, spans)
    for restore in prepared.restores:
        aligned = restore(aligned)
    assert aligned.source == text
    assert aligned.target == text.removeprefix("\ufeff")


def test_a_callers_range_is_copied() -> None:
    text = "Good day. Press the big knob now."
    start = text.index("big")
    prepared = Preparation("en", "de").prepare(text, Segment(Span(10, len(text))), [Span(start, start + 8)])
    assert "big knob" not in prepared.edited.text
