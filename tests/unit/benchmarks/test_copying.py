"""The benchmark of what must be copied: its cases and its scores."""

import gzip
from pathlib import Path

import pytest

from benchmarks.documents.copying import score
from benchmarks.documents.copying_cases import Case, cases


@pytest.fixture
def data(tmp_path: Path) -> Path:
    sentences = [
        ("Tom is late.", "Tom kommt zu spät."),
        ("Mary and Tom are here.", "Mary und Tom sind hier."),
        ("I saw Mary.", "Ich habe sie gesehen."),
        ("We are 25 people.", "Wir sind 25 Leute."),
    ]
    help_pages = [("Look at A1 in a_b.", "Siehe A1 in a_b."), ("Look at B2.", "Siehe dort.")]
    for folder, name, pairs in (
        ("tatoeba/en-de", "dev.{}.gz", sentences),
        ("libreoffice_help", "dev.en-de.{}.gz", help_pages),
    ):
        (tmp_path / folder).mkdir(parents=True)
        for side, language in enumerate(("en", "de")):
            lines = "\n".join(pair[side] for pair in pairs) + "\n"
            (tmp_path / folder / name.format(language)).write_bytes(gzip.compress(lines.encode()))
    return tmp_path


def test_a_part_takes_the_place_of_what_source_and_reference_share(data: Path) -> None:
    found = cases(data, "de", 40, seed=1)
    assert found == cases(data, "de", 40, seed=1)
    assert found != cases(data, "de", 40, seed=2)
    referenced = [case for case in found if case.reference is not None]
    assert {case.kind for case in referenced} == {"generated", "numbers", "real"}
    for case in found:
        assert all(part in case.source for part in case.spans)
        assert case.reference is None or all(part in case.reference for part in case.spans)
    assert [case.spans for case in found if case.kind == "real"] == [("A1", "a_b")]


def test_a_language_without_pairs_has_no_references(data: Path) -> None:
    assert all(case.reference is None for case in cases(data, "pt", 20, seed=1))


def test_a_score_counts_parts_and_values() -> None:
    tried = [
        Case("generated", "a %s b", ("%s",), "x %s y"),
        Case("real", "A1 and A1", ("A1",)),
        Case("numbers", "It costs $1,024.50.", ("$1,024.50",)),
        Case("numbers", "2 and 3", ("2", "3")),
    ]
    perfect = score(tried, ["x %s y", "A1 und A1", "Es kostet 1.024,50 $.", "2 und 3"], "de")
    assert (perfect.verbatim, perfect.by_value, perfect.num_parts, perfect.num_numbers) == (1, 1, 2, 3)
    assert perfect.bleu is not None
    worse = score(tried, ["x %s %s y", "A1", "Es kostet 1.024,5 oder 1.024,50.", "2 und 33"], "de")
    assert worse.verbatim == 0
    assert worse.by_value == pytest.approx(1 / 3)
    assert worse.bleu is not None
    assert worse.bleu < perfect.bleu
