"""Entries of DeepL's glossaries: TSV and CSV."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.domain.glossaries import GlossaryEntry
from regard_service.errors import InvalidInput
from regard_service.http.doors.deepl.glossary_entries import read_entries, write_entries
from regard_service.validation.glossaries import MAX_GLOSSARY_TERMS

TERMS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)


def pairs(entries: tuple[GlossaryEntry, ...]) -> list[tuple[str, str]]:
    return [(entry.source, entry.target) for entry in entries]


def test_tsv_and_csv_give_the_same_entries() -> None:
    expected = [("dog", "Hund"), ("#one", "eins, zwei")]
    assert pairs(read_entries("dog\tHund\r\n\n#one\t eins, zwei \n", "tsv", "entries")) == expected
    assert pairs(read_entries('dog,Hund,en,de\r\n\n#one,"eins, zwei"\n', "csv", "entries")) == expected


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        ("dog\tHund\nhouse", "tsv", "line 2: has 1 cells"),
        ("dog\tHund\tcase", "tsv", "line 1: has 3 cells"),
        ("dog\t ", "tsv", "line 1: the target is empty"),
        (" \tHund", "tsv", "line 1: the source is empty"),
        ("dog,Hund,en", "csv", "line 1: has 3 cells"),
        ('dog,"Hund', "csv", "line 1: unexpected end of data"),
        ("dog\tHund\ndog\tKöter", "tsv", 'the source term "dog" is given twice'),
    ],
)
def test_a_fault_is_named_with_its_line(text: str, form: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=r"^dictionaries\[0\]\.entries: ") as caught:
        read_entries(text, form, "dictionaries[0].entries")
    assert words in str(caught.value)


@given(st.dictionaries(TERMS, TERMS))
def test_what_is_written_is_read(terms: dict[str, str]) -> None:
    entries = tuple(GlossaryEntry(source, target) for source, target in terms.items())
    assert read_entries(write_entries(entries), "tsv", "entries") == entries


@pytest.mark.parametrize("form", ["tsv", "csv"])
def test_of_too_many_entries_the_rest_is_not_read(form: str) -> None:
    """The fault behind the limit is not reached: 600,000 lines took two seconds before they were counted."""
    separator = "\t" if form == "tsv" else ","
    lines = [f"a{number}{separator}b" for number in range(MAX_GLOSSARY_TERMS + 1)]
    with pytest.raises(InvalidInput, match="entries: holds more than 100000 entries, the limit of a glossary"):
        read_entries("\n".join([*lines, "no pair"]), form, "entries")
    assert len(read_entries("\n".join(lines[:-1]), form, "entries")) == MAX_GLOSSARY_TERMS
