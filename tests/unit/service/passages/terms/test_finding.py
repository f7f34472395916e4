"""Which terms a text holds."""

import pytest

from regard_service.domain.glossaries import GlossaryEntry
from regard_service.passages.terms.finding import TermFinder, contradictions, longest


def found(text: str, *entries: GlossaryEntry) -> list[str]:
    finder = TermFinder((entry, str(index)) for index, entry in enumerate(entries))
    return [text[slice(*each.span)] for each in longest(finder.find(text))]


def entry(source: str, **options: bool) -> GlossaryEntry:
    return GlossaryEntry(source, "x", **options)


@pytest.mark.parametrize(
    ("text", "source", "options", "expected"),
    [
        ("The dog and the DOG.", "dog", {}, ["dog", "DOG"]),
        ("The dog and the DOG.", "DOG", {"is_case_sensitive": True}, ["DOG"]),
        ("dogs, hotdog, dog_house, dog's", "dog", {}, ["dog", "dog"]),
        ("dogs and hotdog", "dog", {"is_whole_word": False}, ["dog", "dog"]),
        ("a power\n  supply", "power supply", {}, ["power\n  supply"]),
        ("in C++, C++11 or .NET", "C++", {}, ["C++", "C++"]),
        ("in C++ or .NET", ".NET", {}, [".NET"]),
        ("A → B", "→", {}, ["→"]),
        ("Straße STRASSE", "straße", {}, ["Straße"]),
        ("图书馆在哪里", "图书馆", {"is_whole_word": False}, ["图书馆"]),
        ("", "dog", {}, []),
        ("a.*b", ".*", {}, [".*"]),
    ],
)
def test_terms_in_a_text(text: str, source: str, options: dict[str, bool], expected: list[str]) -> None:
    assert found(text, entry(source, **options)) == expected


def test_the_longest_of_overlapping_terms_counts() -> None:
    assert found("New York City", entry("York"), entry("New York"), entry("York City hall")) == ["New York"]
    assert found("a b c", entry("a b"), entry("b c")) == ["a b"]


def test_contradictions_name_both() -> None:
    same = [GlossaryEntry("dog", "Hund"), GlossaryEntry("Dog", "Hund"), GlossaryEntry("Dog", "DOG", True)]
    assert list(contradictions(same)) == []
    assert list(contradictions([*same, GlossaryEntry("DOG", "Köter")])) == [
        (3, "'DOG' is 'Köter' here and 'Hund' in entry 0")
    ]
