"""The tasks for the default translator: help texts, plain inputs, figures, alignment."""

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from benchmarks.quality.alignment import Aligned, Aligner, error_rate, measure_alignment, read_pairs, written
from benchmarks.quality.figures import LANGUAGES, Figures, has_figure, make_sentences
from benchmarks.quality.libreoffice_help import LibreofficeHelp
from benchmarks.quality.plain import Plain, read_inputs, without_final_mark
from benchmarks.quality.task import LeftOut
from regard import Model
from regard_service.bundle import Bundle, zoo_folder

ALL = cast(Model, SimpleNamespace(name="some", target_languages=LANGUAGES))
SPANISH_ONLY = cast(Model, SimpleNamespace(name="some", target_languages=("es",)))


def test_help_texts_are_read_by_language(tmp_path: Path) -> None:
    folder = tmp_path / "libreoffice_help"
    folder.mkdir()
    for code, lines in (("en", "Open the file.\nSave\n"), ("es", "Abra el archivo.\nGuardar\n")):
        (folder / f"dev.en-es.{code}.gz").write_bytes(gzip.compress(lines.encode()))
    (part,) = LibreofficeHelp().parts(tmp_path, SPANISH_ONLY, None)
    assert len(part.calls) == 2
    assert part.score(["Abra el archivo.", "Guardar"])["bleu"] == 100
    with pytest.raises(LeftOut):
        list(LibreofficeHelp().parts(tmp_path, ALL, None))


def test_plain_inputs_are_200_in_four_languages() -> None:
    rows = [line.split("\t") for line in read_inputs()]
    assert len(rows) == 200
    assert all(len(row) == 4 and all(row) for row in rows)
    assert len({row[0] for row in rows}) == 200
    for column in range(4):
        assert all(row[column][-1] in ".!?" for row in rows)
        assert all(row[column][-1] == row[0][-1] for row in rows)


@pytest.mark.parametrize(
    ("text", "shorter"),
    [
        ("Hello!", "Hello"),
        ("Ça va ?", "Ça va"),
        ("¿Qué tal?", "Qué tal"),
        ("¡Hola! ¿Qué tal?", "¡Hola! Qué tal"),
        ("none", "none"),
    ],
)
def test_a_text_without_its_final_mark(text: str, shorter: str) -> None:
    assert without_final_mark(text) == shorter


def test_a_model_that_fails_at_capitals_has_a_bad_worst_variant() -> None:
    (part,) = Plain().parts(Path(), SPANISH_ONLY, 10)
    right = [line.split("\t")[3] for line in read_inputs(10)]
    paragraphs = [" ".join(right[:5]), " ".join(right[5:])]
    without = [without_final_mark(text) for text in right]
    assert len(part.calls) == 2 * (10 + 10 + 10 + 2)
    perfect = [*right, *without, *(text.upper() for text in right), *paragraphs]
    deaf = [*right, *without, *right, *paragraphs]
    scores = part.score([*perfect, *deaf])
    assert scores["worst_variant"] == 1.0
    assert scores["chrf"] == scores["chrf_capitals"] == 100
    assert scores["worst_variant_raw"] < 0.5
    assert part.score([*deaf, *perfect])["worst_variant"] == scores["worst_variant_raw"]


def test_figures_are_300_sentences_with_their_ways_to_write_them() -> None:
    sentences = make_sentences()
    assert len(sentences) == 300
    assert sentences == make_sentences()
    assert all(figure.english.removesuffix(".") in text for text, figure in sentences)
    (part,) = Figures().parts(Path(), SPANISH_ONLY, None)
    assert part.score([text for text, _ in sentences])["right"] < 40  # English figures are wrong in Spanish


@pytest.mark.parametrize(
    ("text", "pattern", "is_right"),
    [
        ("Es kostet 1.024,50 $.", r"1\.024,50", True),
        ("Es kostet 11.024,50 $.", r"1\.024,50", False),
        ("Es kostet 1.024,505 $.", r"1\.024,50", False),
        ("Cela coûte 1\u202f024,50 $.", "1 024,50", True),
        ("Cela coûte 3 1 024,50 $.", "1 024,50", False),
        ("Il y a 12.", "12", True),
        ("Il y a 12,5.", "12", False),
        ("le 3 Mai 2021", "3 mai 2021", True),
    ],
)
def test_a_figure_is_right_only_as_a_whole(text: str, pattern: str, is_right: bool) -> None:
    assert has_figure(text, pattern) is is_right


def test_texts_are_written_as_people_write_them() -> None:
    text, spans = written(["Yes", ",", "(", "I", "do", ")", "."])
    assert text == "Yes, (I do)."
    assert [text[span.start : span.end] for span in spans] == ["Yes", ",", "(", "I", "do", ")", "."]


def test_the_error_rate_counts_sure_and_possible_links() -> None:
    pair = Aligned(["a", "b"], ["x", "y"], sure={(0, 0)}, possible={(0, 0), (1, 1)})
    assert error_rate([pair], [{(0, 0), (1, 1)}]) == 0.0
    assert error_rate([pair], [{(0, 1), (1, 1)}]) == pytest.approx(1 - (0 + 1) / (2 + 1))


def test_a_bundle_aligns_given_translations(tmp_path: Path) -> None:
    row = {"source": ["Tom", "is", "here", "."], "target": ["Tom", "ist", "hier", "."]}
    (tmp_path / "alignment").mkdir()
    lines = json.dumps({**row, "sure": [[n, n] for n in range(4)], "possible": []})
    (tmp_path / "alignment" / "dev.en-de.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    pairs = read_pairs(tmp_path, "de", None)
    links = Aligner(Bundle.load(zoo_folder() / "everyday")).links(pairs[0], "de")
    assert sorted(target for _, target in links) == [0, 1, 2, 3]
    score = next(measure_alignment(zoo_folder() / "everyday", tmp_path, None))
    assert score.metrics["aer"] == pytest.approx(error_rate(pairs, [links]), abs=1e-3)
    with pytest.raises(LeftOut):
        read_pairs(tmp_path, "fr", None)
