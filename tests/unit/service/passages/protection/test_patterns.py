"""Patterns of callers: found in linear time, and refused with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.domain.results import Span
from regard_service.errors import InvalidInput
from regard_service.passages.protection.patterns import MAX_PATTERN_LENGTH, MAX_PATTERNS, compile_patterns


def test_positions_count_characters() -> None:
    (pattern,) = compile_patterns([r"\p{Greek}+"])
    assert list(pattern.find("ein 😀 λόγος, μῦθος")) == [Span(6, 11), Span(13, 18)]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a(", r"missing \)"),
        (r"(a)\1", "invalid escape sequence"),
        ("(?=a)", "invalid perl operator"),
        ("(a{1000}){1000}", "repetition"),
        ("", "is empty"),
        ("a" * (MAX_PATTERN_LENGTH + 1), f"the limit is {MAX_PATTERN_LENGTH}"),
        ("\ud800", "is no pattern of RE2"),
    ],
)
def test_a_bad_pattern_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=rf"protected_patterns\[1\].*{reason}"):
        compile_patterns(["fine", pattern])


def test_every_bad_pattern_is_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        compile_patterns(["(", "fine", "["])
    assert [violation.field for violation in caught.value.violations] == [
        "protected_patterns[0]",
        "protected_patterns[2]",
    ]


def test_the_number_of_patterns_is_bounded() -> None:
    with pytest.raises(InvalidInput, match=f"the limit is {MAX_PATTERNS}"):
        compile_patterns(["a"] * (MAX_PATTERNS + 1))


def test_a_pattern_that_backtracks_elsewhere_ends() -> None:
    (pattern,) = compile_patterns([r"(a|a?)+c"])
    assert list(pattern.find("a" * 50_000 + "b")) == []
    (each,) = compile_patterns(["x.*y|x"])  # each search would read all the rest
    assert len(list(each.find("x" * 100_000))) == 100_000


@given(st.text(), st.sampled_from([r"\w+", ".", r"[^a]*", r"\d|x"]))
def test_ranges_are_in_order_and_hold_something(text: str, source: str) -> None:
    (pattern,) = compile_patterns([source])
    end = 0
    for span in pattern.find(text):
        assert end <= span.start < span.end <= len(text)
        end = span.end
