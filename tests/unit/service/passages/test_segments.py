"""Segments: what a model reads, and the white space between what it wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.segments import Segment, cut_text, gap, pack
from regard_service.passages.spacing import is_spaced
from tests.unit.service.passages.test_blocks import WRAPPED, layouts

PAGE = "Good morning. I am here.\n\n  - One. Two.\n  - Three.\n\n" + WRAPPED


def pieces(text: str, segments: list[Segment]) -> list[str]:
    return [text[slice(*segment.span)] for segment in segments]


def test_a_page_is_cut_into_its_sentences() -> None:
    assert pieces(PAGE, cut_text(PAGE, "en")) == [
        *("Good morning.", "I am here.", "One.", "Two.", "Three."),
        "My sister lives in a small house with a big garden and she\nhas two dogs and a cat.",
        *("The bus is often late.", "Her husband\nworks at night."),
    ]


@given(layouts | st.text())
def test_segments_are_in_order_and_layout_joins_them_to_the_text(text: str) -> None:
    segments = cut_text(text, "en")
    ends = [0, *(each.span.end for each in segments)]
    starts = [*(each.span.start for each in segments), len(text)]
    assert all(end <= start for end, start in zip(ends, starts, strict=True))
    whole = "".join(text[a:b] + text[b:c] for a, b, c in zip(ends, starts, [*ends[1:], len(text)], strict=True))
    assert whole == text
    for each in segments:
        assert all(each.span.start < b.start <= b.end < each.span.end for b in each.breaks)


@given(layouts)
def test_a_model_that_copies_gives_the_text_back(text: str) -> None:
    copied, end = "", 0
    for segment in cut_text(text, "en"):
        unwrapped = segment.unwrapped(text, is_spaced=True)
        read = unwrapped.edited.text
        assert not any(read[slice(*unwrapped.edited.to_text(each))].splitlines()[1:] for each in unwrapped.breaks)
        restored = unwrapped.restore(AlignedText(read, read, (), ()))
        copied += text[end : segment.span.start] + restored.target
        end = segment.span.end
    copied += text[end:]
    assert [c for c in copied if not c.isspace()] == [c for c in text if not c.isspace()]
    assert sum(c == "\n" for c in copied) == sum(c == "\n" for c in text)


@pytest.mark.parametrize(
    ("between", "language", "found"),
    [
        (" ", "de", " "),
        ("", "de", " "),
        (" ", "zh-Hans", ""),
        ("", "ja", ""),
        ("\n", "ja", "\n"),
        ("  ", "de", "  "),
        ("\u00a0", "fr", "\u00a0"),
        (" ", "", " "),
    ],
)
def test_targets_without_spaces_get_none_between_sentences(between: str, language: str, found: str) -> None:
    assert gap(between, is_spaced=is_spaced(language)) == found


def test_passages_are_as_long_as_fits_and_stay_within_their_block() -> None:
    segments = cut_text(PAGE, "en")
    sizes = [len(each.split()) for each in pieces(PAGE, segments)]
    assert pieces(PAGE, pack(segments, PAGE, sizes, 100)) == [
        *("Good morning. I am here.", "One. Two.", "Three.", WRAPPED.strip())
    ]
    assert pieces(PAGE, pack(segments, PAGE, sizes, 4))[:2] == ["Good morning.", "I am here."]
    assert pieces(PAGE, pack(segments, PAGE, sizes, 5))[0] == "Good morning. I am here."
    packed = pack(segments, PAGE, sizes, 100)[-1]
    assert [PAGE[slice(*each)] for each in packed.breaks] == ["\n", "\n"]


@pytest.mark.parametrize(
    ("target", "restored"),
    [
        ("Meine Schwester wohnt hier und sie hat zwei Hunde", "Meine Schwester wohnt hier\nund sie hat zwei Hunde"),
        ("Schwester", "Schwester\n"),
        ("", "\n"),
    ],
)
def test_breaks_return_to_a_space_near_their_place(target: str, restored: str) -> None:
    text = "My sister lives in here and\nhas got two dogs and a cat"
    unwrapped = Segment(Span(0, len(text)), (Span(27, 28),)).unwrapped(text, is_spaced=True)
    assert unwrapped.edited.text == text.replace("\n", " ")
    assert unwrapped.restore(AlignedText(unwrapped.edited.text, target, (), ())).target == restored
