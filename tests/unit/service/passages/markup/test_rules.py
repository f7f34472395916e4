"""What a caller says about elements: where running texts end, and what stays."""

import pytest

from regard_service.domain.elements import ElementRules
from regard_service.passages.markup.entities import MarkupFormat
from regard_service.passages.markup.parse import parse

DOCUMENT = """<document>
  <meta><title>A title</title></meta>
  <content>
    <par>First sentence. Second one.</par>
    <par>Third sentence.</par>
  </content>
</document>"""


def texts(source: str, elements: ElementRules, markup: MarkupFormat = "xml") -> list[str]:
    return [unit.text for unit in parse(source, markup, elements).units]


def splitting(*names: str) -> ElementRules:
    return ElementRules(splitting=frozenset(names))


def non_splitting(*names: str) -> ElementRules:
    return ElementRules(non_splitting=frozenset(names))


@pytest.mark.parametrize(
    ("source", "names", "expected"),
    [
        ("<d>one <x/>two</d>", ["x"], ["one", "two"]),
        ("<d>one <b>two <x>three</x> four</b> five</d>", ["x"], ["one two", "three", "four five"]),
        ("<d>one <x><y/><z>two</z></x></d>", ["x"], ["one", "two"]),
        ("<d>one <n:x/>two <x/>three</d>", ["n:x"], ["one", "two three"]),
        ("<d>one <X/>two</d>", ["x"], ["one two"]),
    ],
)
def test_sentences_end_at_splitting_elements(source: str, names: list[str], expected: list[str]) -> None:
    assert texts(source, splitting(*names)) == expected


@pytest.mark.parametrize(
    ("source", "names", "expected"),
    [
        ("<par>They had been </par><par> in town.</par>", ["par"], ["They had been in town."]),
        ("<d><s>one</s><s> <b>two</b> <i/></s></d><d>three</d>", ["s"], ["one two", "three"]),
        ("<d><s>one<p>two</p></s></d>", ["s"], ["one", "two"]),
        ("<p>one</p><p>two</p>", ["p"], ["one two"]),
        ("<p>one</p><br/><p/> <p>two</p>", ["p", "br"], ["one two"]),
    ],
)
def test_no_sentence_ends_at_non_splitting_elements(source: str, names: list[str], expected: list[str]) -> None:
    assert texts(source, non_splitting(*names)) == expected


@pytest.mark.parametrize(
    ("source", "elements", "expected"),
    [
        ("a<br>b", non_splitting("br"), ["a b"]),
        ("<ul><li>one<li>two</ul>", non_splitting("li"), ["one two"]),
        ("one <b>two <i>three</i></b> four", splitting("i"), ["one two", "three", "four"]),
        ("a <x>b <p>c</p></x> d", ElementRules(ignored=frozenset({"x"})), ["a", "d"]),
    ],
)
def test_html(source: str, elements: ElementRules, expected: list[str]) -> None:
    assert texts(source, elements, "html") == expected


def test_without_an_outline_only_splitting_elements_end_sentences() -> None:
    assert texts(DOCUMENT, ElementRules()) == ["A title", "First sentence. Second one.", "Third sentence."]
    assert texts(DOCUMENT, ElementRules(splitting=frozenset({"par", "title"}), has_outline=False)) == texts(
        DOCUMENT, ElementRules()
    )
    assert texts(DOCUMENT, ElementRules(splitting=frozenset({"meta"}), has_outline=False)) == [
        "A title",
        "First sentence. Second one. Third sentence.",
    ]
    assert texts("<p>one</p><p>two</p>", ElementRules(has_outline=False)) == ["one two"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a <x>b</x> c", ["a b c"]),
        ("<x>a <b>b</b> c</x><y>d</y>", ["d"]),
        ("<d>a<x/> b <x>c <x>d</x></x> e</d>", ["a b c d e"]),
        ('<x>a <b translate="yes">b</b></x>', ["b"]),
        ('<x translate="yes">a</x>', []),
    ],
)
def test_contents_of_ignored_elements_stay(source: str, expected: list[str]) -> None:
    """Within a sentence they are read with it."""
    found = parse(source, "xml", ElementRules(ignored=frozenset({"x"}))).units
    assert [unit.text for unit in found] == expected
    for unit in found:
        for span in unit.protected:
            assert unit.text[slice(*span)] in ("b", "c d")
