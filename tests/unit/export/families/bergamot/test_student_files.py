"""Folders as their publishers lay them out: names, compression, configs, and what is missing."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regard_export.errors import ExportError
from regard_export.families.bergamot.student_files import find_files, is_student
from regard_export.families.loading import load_source_model
from tests.unit.export.student_checkpoints import write_student

DECODER = """relative-paths: true
models:
  - model.intgemm.alphas.bin
vocabs:
  - vocab.enpt.spm
  - vocab.enpt.spm
beam-size: 1
normalize: 1.0
word-penalty: 0
"""


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_student(tmp_path_factory.mktemp("student") / "enpt")


@pytest.fixture(scope="module")
def separate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_student(tmp_path_factory.mktemp("separate") / "enpt", separate=True)


def _firefox(student: Path, folder: Path) -> None:
    """Each file compressed, with metadata.json beside them."""
    folder.mkdir()
    names = {"model.enpt.bin": "model.enpt.intgemm.alphas.bin"}
    for file in student.iterdir():
        (folder / f"{names.get(file.name, file.name)}.gz").write_bytes(gzip.compress(file.read_bytes()))
    metadata = {"architecture": "tiny", "byteSize": 1, "sourceLanguage": "en", "targetLanguage": "pt"}
    (folder / "metadata.json").write_text(json.dumps(metadata))


def _translate_locally(student: Path, folder: Path) -> None:
    """A config that names the files, and model_info.json."""
    shutil.copytree(student, folder)
    (folder / "model.enpt.bin").rename(folder / "model.intgemm.alphas.bin")
    (folder / "model.npz").write_bytes(b"the teacher, which the config does not name")
    (folder / "config.intgemm8bitalpha.yml").write_text(DECODER)
    (folder / "model_info.json").write_text(
        json.dumps({"modelName": "English-Portuguese tiny", "shortName": "en-pt-tiny"})
    )
    (folder / "catalog-entry.yml").write_text("anything: else")
    (folder / "speed.cpu.intgemm8bitalpha.sh").write_text("exit")


@pytest.mark.parametrize("codes", [("../..", "pt"), ("x" * 3000, "pt"), (5, ["pt"]), (" ", "\n")])
def test_what_is_no_code_of_a_language_is_not_taken_for_one(student: Path, tmp_path: Path, codes: Any) -> None:
    folder = Path(shutil.copytree(student, tmp_path / "model"))
    described = {"fromLang": codes[0], "toLang": codes[1], "modelName": "Tiny\ud800\n\x07" + "x" * 5000}
    (folder / "model_info.json").write_text(json.dumps(described))
    model = load_source_model(folder)
    assert (model.source_languages, model.target_languages) == (("en",), ("pt",))  # of the file's name
    assert model.summary.startswith("Tinyxxx")
    assert len(model.summary) < 300


@pytest.mark.parametrize("lay_out", [_firefox, _translate_locally])
def test_published_layouts_load(student: Path, tmp_path: Path, lay_out: Callable[[Path, Path], None]) -> None:
    lay_out(student, tmp_path / "model")
    assert is_student(tmp_path / "model")
    model = load_source_model(tmp_path / "model")
    original = load_source_model(student)
    assert (model.source_languages, model.target_languages) == (("en",), ("pt",))
    assert model.tokenizers == original.tokenizers
    assert model.architecture.nbytes == original.architecture.nbytes


def test_a_config_by_its_path_names_a_file_of_the_folder(student: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    _translate_locally(student, folder)
    path = DECODER.replace("model.intgemm", "/home/author/exp/model.intgemm").replace("- vocab", "- ../data/vocab")
    (folder / "config.intgemm8bitalpha.yml").write_text(path)
    files = find_files(folder, ())
    assert files.model == folder / "model.intgemm.alphas.bin"
    assert files.vocabularies == (folder / "vocab.enpt.spm",) * 2


def test_two_vocabularies_by_name_and_by_config(separate: Path, tmp_path: Path) -> None:
    files = find_files(separate, ())
    assert [file.name for file in files.vocabularies] == ["srcvocab.enpt.spm", "trgvocab.enpt.spm"]
    folder = Path(shutil.copytree(separate, tmp_path / "model"))
    for name, new in (("srcvocab.enpt.spm", "vocab.en.spm"), ("trgvocab.enpt.spm", "vocab.pt.spm")):
        (folder / name).rename(folder / new)
    with pytest.raises(ExportError, match=r"a vocabulary several times: vocab\.en\.spm, vocab\.pt\.spm"):
        find_files(folder, ())
    (folder / "config.yml").write_text("vocabs: [vocab.en.spm, vocab.pt.spm]")
    assert [file.name for file in find_files(folder, ()).vocabularies] == ["vocab.en.spm", "vocab.pt.spm"]
    load_source_model(folder)


def test_an_unpacked_file_counts_before_its_compressed_copy(student: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(student, tmp_path / "model"))
    (folder / "model.enpt.bin.gz").write_bytes(b"")
    (folder / "vocab.enpt.spm.zst").write_bytes(b"")
    files = find_files(folder, ())
    assert (files.model.name, files.vocabularies[0].name) == ("model.enpt.bin", "vocab.enpt.spm")


def test_every_missing_piece_is_named(tmp_path: Path) -> None:
    (tmp_path / "srcvocab.enpt.spm").write_bytes(b"")
    with pytest.raises(ExportError) as refusal:
        find_files(tmp_path, ())
    assert "a model is missing: model*.bin or model*.npz" in str(refusal.value)
    assert "a target vocabulary is missing: trgvocab*.spm" in str(refusal.value)


def test_what_the_config_names_must_be_there(student: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(student, tmp_path / "model"))
    (folder / "config.yml").write_text("models: [a.bin, b.bin]\nvocabs: [c.spm]\nshortlist: [d.bin, 50, 50]")
    with pytest.raises(ExportError) as refusal:
        find_files(folder, ())
    assert "its config names 2 models, more than 1: a.bin, b.bin" in str(refusal.value)
    assert "a.bin, which its config names, is missing" in str(refusal.value)
    assert "c.spm, which its config names, is missing" in str(refusal.value)
    assert "d.bin, which its config names, is missing" in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "languages"),
    [
        ("model.enpt.intgemm.alphas.bin", ("en", "pt")),
        ("model.intgemm.alphas.bin", ("unknown", "unknown")),
        ("model.best.npz", ("unknown", "unknown")),
    ],
)
def test_languages_of_a_models_name(student: Path, tmp_path: Path, name: str, languages: tuple[str, str]) -> None:
    folder = Path(shutil.copytree(student, tmp_path / "model"))
    (folder / "model.enpt.bin").rename(folder / name)
    assert find_files(folder, ()).languages == languages
