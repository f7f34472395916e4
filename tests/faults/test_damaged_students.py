"""Damage anywhere in a student's folder: the export is written whole or is refused by an ExportError, never half."""

import shutil
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regard_export.checkpoints.source_model import SourceModel
from regard_export.errors import ExportError
from regard_export.exporting.export import export
from regard_export.exporting.options import ExportOptions
from regard_export.families.loading import load_source_model
from regard_service.bundle import Bundle
from tests.unit.export.student_checkpoints import write_student

CONFIG = "models: [model.enpt.bin]\nvocabs: [vocab.enpt.spm, vocab.enpt.spm]\nbeam-size: 2\nnormalize: 0.6\n"
INFO = '{"modelName": "tiny", "shortName": "en-pt-tiny", "version": 2.0}'
MAX_BYTES = 2**26  # what loading may allocate; the folder has some 200 KB


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_student(tmp_path_factory.mktemp("student") / "enpt", shortlist=True)
    (folder / "config.yml").write_text(CONFIG)
    (folder / "model_info.json").write_text(INFO)
    load_source_model(folder)
    return folder


@st.composite
def _damages(draw: st.DrawFn) -> tuple[int, int, list[tuple[float, int]], float]:
    """A file, a kind of damage, the places of flipped bits as shares of the file, and where it is cut."""
    flips = draw(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=6))
    # Heads hold sizes and names: half of the flips are there.
    near = draw(st.booleans())
    places = [(share * (0.02 if near else 1), bit) for share, bit in flips]
    return draw(st.integers(0, 4)), draw(st.integers(0, 3)), places, draw(st.floats(0, 1))


def _damaged(content: bytes, kind: int, flips: list[tuple[float, int]], cut: float) -> bytes:
    changed = bytearray(content)
    if kind == 0:
        return bytes(changed[: int(cut * len(changed))])
    if kind == 1:  # a part twice
        place = int(cut * len(changed))
        return bytes(changed[:place] + changed[place // 2 :])
    for share, bit in flips:
        place = int(share * len(changed))
        changed[place] = 0xFF if kind == 2 else changed[place] ^ 1 << bit
    return bytes(changed)


def _loaded(folder: Path) -> SourceModel | None:
    """The model, or None if it is refused; anything else but an ExportError fails the test."""
    tracemalloc.start()
    model, cause = None, ""
    try:
        model = load_source_model(folder)
    except ExportError as refusal:
        cause = str(refusal)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < MAX_BYTES
    assert model is not None or str(folder) in cause
    return model


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(damage=_damages())
def test_a_damaged_folder_is_exported_or_refused(
    student: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, damage: tuple
) -> None:
    monkeypatch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
    monkeypatch.setattr("regard_export.verification.workload.MIN_SOURCES", 1)
    monkeypatch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)
    number, kind, flips, cut = damage
    folder = tmp_path_factory.mktemp("damaged") / "enpt"
    shutil.copytree(student, folder)
    file = sorted(folder.iterdir())[number]
    file.write_bytes(_damaged(file.read_bytes(), kind, flips, cut))
    model = _loaded(folder)
    output = folder.parent / "bundle"
    if model is not None:
        try:
            export(model, output, ExportOptions("tiny", "1", ("int8",), {}), lambda _: None)
        except ExportError:
            model = None
    if model is None:
        assert [path.name for path in folder.parent.iterdir()] == ["enpt"]
    else:
        assert Bundle.load(output).manifest.verification["passed"]
    shutil.rmtree(folder.parent)
