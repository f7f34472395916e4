"""Groups tokens to words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.text.words import group_words


def cut(*pieces: str) -> tuple[str, list[tuple[int, int] | None]]:
    """Returns a text and the spans of its pieces, without leading white space; "<...>" is a special token."""
    text, spans = "", list[tuple[int, int] | None]()
    for piece in pieces:
        if piece.startswith("<"):
            spans.append(None)
            continue
        text += piece
        spans.append((len(text) - len(piece.lstrip()), len(text)))
    return text, spans


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ("He|llo| wor|ld|</s>", "Hello world </s>"),
        ("<de>|He|llo|,| wor|ld|!|</s>", "<de> Hello , world ! </s>"),
        ("don|'|t", "don't"),
        ("don|'t", "don't"),
        ("l’|eau", "l’eau"),
        ("'|quoted|'", "' quoted '"),
        ("3|.|5|,| 1|,|000", "3.5 , 1,000"),
        ("a|,|b", "a , b"),
        ("z|.|B|.", "z.B ."),
        ("well|-|known", "well - known"),
        ("wait|.|.|.|!", "wait ... !"),
        ("end|).| New", "end ). New"),
        ("snake|_|case", "snake_case"),
        ("क्|षि| है", "क्षि है"),
        ("Han| 汉|字|です", "Han 汉 字 です"),
        ("ก|ิน", "กิน"),
        ("한|국어", "한국어"),
        ("👩|\u200d|💻", "👩\u200d💻"),
        ("e|\u0301|te\u0301", "e\u0301te\u0301"),
        ("a|</s>|b", "a </s> b"),
    ],
)
def test_tokens_form_the_words_that_a_reader_sees(pieces: str, words: str) -> None:
    parts = pieces.split("|")
    groups = group_words(*cut(*parts))
    assert ["".join(parts[start:end]).strip() for start, end in groups] == words.split(" ")


def test_empty_span_belongs_to_the_token_that_completes_it() -> None:
    assert group_words("a é", [(0, 1), (2, 2), (2, 3)]) == [(0, 1), (1, 3)]
    assert group_words("aé", [(0, 1), (1, 1), (1, 2)]) == [(0, 3)]
    assert group_words("a", [(0, 1), (1, 1)]) == [(0, 2)]
    assert group_words(" a", [(0, 0), (1, 2)]) == [(0, 2)]


def test_bytes_of_one_character_share_their_span() -> None:
    assert group_words("龘字", [(0, 1), (0, 1), (0, 1), (1, 2)]) == [(0, 3), (3, 4)]
    assert group_words("a 😀!", [(0, 1), (2, 3), (2, 3), (2, 3), (3, 4)]) == [(0, 1), (1, 4), (4, 5)]


def test_characters_that_normalization_removed_separate_no_words() -> None:
    assert group_words("co\u00adop", [(0, 2), (3, 5)]) == [(0, 2)]


def test_no_tokens_no_words() -> None:
    assert group_words("", []) == []


@st.composite
def tokenized(draw: st.DrawFn) -> tuple[str, list[tuple[int, int] | None]]:
    text = draw(st.text(st.characters() | st.sampled_from(" .,'-a1é汉"), max_size=20))
    count = draw(st.integers(0, 6))
    ends = sorted(draw(st.lists(st.integers(0, len(text)), min_size=count, max_size=count)))
    spans: list[tuple[int, int] | None] = [*zip([0, *ends[:-1]], ends, strict=False)]
    for position in draw(st.lists(st.integers(0, count), max_size=3)):
        spans.insert(position, None)
    return text, spans


@given(tokenized())
def test_words_hold_every_token_once_and_specials_alone(case: tuple[str, list[tuple[int, int] | None]]) -> None:
    text, spans = case
    groups = group_words(text, spans)
    assert [index for start, end in groups for index in range(start, end)] == list(range(len(spans)))
    for start, end in groups:
        assert end > start
        if end - start > 1:
            assert None not in spans[start:end]
