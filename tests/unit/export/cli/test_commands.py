import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from regard_export.cli.commands import PRECISIONS, export_command, inspect_command, verify_command
from regard_export.precision.precision_builders import PRECISION_BUILDERS
from regard_service.bundle import MANIFEST
from tests.unit.export.transformer_checkpoints import tiny_checkpoint


@pytest.fixture(autouse=True)
def _few_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
    monkeypatch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    tiny_checkpoint().save(folder)
    return folder


def _export(checkpoint: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(export_command, [str(checkpoint), "-o", str(out), *options])


def test_export_verify_inspect(checkpoint, tmp_path) -> None:
    out = tmp_path / "tiny"
    result = _export(checkpoint, out, "--version", "2", "--precision", "int8,float32")
    assert result.exit_code == 0, result.output
    assert re.search(r"tiny: tiny 2, \d+\.\d MB", result.stdout)
    assert "✓ int8: building graphs" in result.stderr

    result = CliRunner().invoke(verify_command, [str(out), "--source", str(checkpoint)])
    assert result.exit_code == 0, result.output
    assert "greedy: outputs that differ" in result.stdout

    result = CliRunner().invoke(inspect_command, [str(out)])
    assert result.exit_code == 0
    for part in ("tiny 2", "en to de, fr", "passed", "2 layers x 4 heads", "int8: 0.", "float32: 0."):
        assert part in result.stdout
    result = CliRunner().invoke(inspect_command, [str(out), "--json"])
    assert json.loads(result.stdout)["name"] == "tiny"


def test_the_name_option_replaces_the_folders_name(checkpoint, tmp_path) -> None:
    assert _export(checkpoint, tmp_path / "out", "--name", "talker").exit_code == 0
    assert json.loads((tmp_path / "out" / MANIFEST).read_text())["name"] == "talker"


def test_every_offered_precision_has_builders() -> None:
    assert tuple(PRECISION_BUILDERS) == PRECISIONS


def test_help_and_inspect_import_no_torch() -> None:
    code = (
        "import sys, regard_export.cli.commands; print({'torch', 'transformers', 'onnxruntime'} & sys.modules.keys())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


@pytest.mark.parametrize("precision", ["int3", "", "int8,float8"])
def test_unknown_precisions_are_refused(checkpoint, tmp_path, precision: str) -> None:
    result = _export(checkpoint, tmp_path / "out", "--precision", precision)
    assert result.exit_code == 2
    assert "known are float32, float16, int8, int4" in result.stderr


def test_an_occupied_folder_is_refused(checkpoint, tmp_path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    result = _export(checkpoint, tmp_path)
    assert (result.exit_code, "is not an empty folder" in result.stderr) == (1, True)


def test_a_folder_without_a_checkpoint_is_refused(tmp_path) -> None:
    result = _export(tmp_path, tmp_path / "out")
    assert (result.exit_code, "there is no config.json" in result.stderr) == (1, True)


def test_data_without_dev_sentences(checkpoint, tmp_path) -> None:
    (tmp_path / "data").mkdir()
    result = _export(checkpoint, tmp_path / "out", "--data", str(tmp_path / "data"))
    assert (result.exit_code, "holds no dev sentences" in result.stderr) == (1, True)
    assert not (tmp_path / "out").exists()


def test_damaged_bundles_are_refused(checkpoint, tmp_path) -> None:
    _export(checkpoint, tmp_path / "out")
    with (tmp_path / "out" / "int8" / "step.onnx").open("ab") as stream:
        stream.write(b"x")
    for command in (verify_command, inspect_command):
        result = CliRunner().invoke(command, [str(tmp_path / "out")])
        assert result.exit_code == 1
        assert "int8/step.onnx: does not match its checksum" in result.stderr


def test_data_to_verify_needs_the_source(checkpoint, tmp_path) -> None:
    result = CliRunner().invoke(verify_command, [str(tmp_path), "--data", str(tmp_path)])
    assert (result.exit_code, "--data needs --source" in result.stderr) == (2, True)
