"""Tags: what is not translated, and what a text does not keep."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.http.doors.deepl.tags import TagRules, read_tags


def ignored(text: str, *names: str) -> list[str]:
    spans, faults = read_tags(text, TagRules(ignored=frozenset(names)))
    assert faults == []
    return [text[slice(*span)] for span in spans]


def faults(text: str, **rules: object) -> list[tuple[str, str]]:
    found = read_tags(text, TagRules(**rules))[1]  # type: ignore[arg-type]
    return [(fault.field, fault.description.split(">")[0]) for fault in found]


@pytest.mark.parametrize(
    ("text", "contents"),
    [
        ("a <x>b</x> c", ["b"]),
        ("<x>a <b>b</b> c</x><y>d</y>", ["a <b>b</b> c"]),
        ("<x>a <x>b</x> c</x> d", ["a <x>b</x> c"]),
        ("<d><x>a</x>b<x/><x></x><x id='1'>c &amp; d</x></d>", ["a", "c &amp; d"]),
        ("<y>a</y>", []),
        ("<x>a</y>", []),
    ],
)
def test_contents_of_ignored_elements_stay(text: str, contents: list[str]) -> None:
    assert ignored(text, "x") == contents


def test_splitting_tags_hold_among_elements_and_not_in_a_text() -> None:
    assert faults("<d><p>a</p><p>b</p></d>", splitting=frozenset({"p"})) == []
    assert faults("a <q>b</q> c", splitting=frozenset({"q"})) == [("splitting_tags", "<q")]


def test_non_splitting_tags_hold_in_a_text_and_not_among_elements() -> None:
    assert faults("a <q>b</q> c", non_splitting=frozenset({"q"})) == []
    assert faults("<d><q>a</q></d>", non_splitting=frozenset({"d", "q"})) == []
    assert faults("<d><q>a</q><q>b</q></d>", non_splitting=frozenset({"q"})) == [("non_splitting_tags", "<q")]


def test_without_an_outline_only_the_named_tags_may_split() -> None:
    text = "<d><p>a</p><p>b</p></d>"
    assert faults(text, has_outline=False) == [("outline_detection", "<p")]
    assert faults(text, has_outline=False, splitting=frozenset({"p"})) == []


@given(st.lists(st.sampled_from(["<x>", "</x>", "<y>", "</y>", "<x/>", "a ", "&amp;", "<"]), max_size=20))
def test_ignored_contents_lie_within_their_elements(pieces: Iterable[str]) -> None:
    text = "".join(pieces)
    spans, _ = read_tags(text, TagRules(ignored=frozenset({"x"})))
    assert spans == sorted(spans)
    for span in spans:
        assert text[: span.start].endswith("<x>")
        assert text[span.end :].startswith("</x>")
