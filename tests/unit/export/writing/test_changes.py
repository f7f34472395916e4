import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from regard_export.cli.commands import inspect_command
from regard_export.writing.changes import SETTABLE
from regard_service.bundle import MANIFEST, Bundle, zoo_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(zoo_folder() / "multi30k-luong", tmp_path / "bundle"))


def _inspect(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(inspect_command, [str(folder), *options])


def _set(folder: Path, *assignments: str) -> Result:
    return _inspect(folder, *(word for each in assignments for word in ("--set", each)))


def test_fields_are_set_and_the_bundle_loads_with_its_new_checksum(folder: Path) -> None:
    before = Bundle.load(folder).manifest
    done = _set(folder, "version=2", "name=talker", "generation.num_beams=4", "provenance.notes=ours = 1")
    assert done.exit_code == 0, done.output
    assert "talker 2" in done.stdout
    after = Bundle.load(folder).manifest
    assert (after.name, after.version, after.generation.num_beams) == ("talker", "2", 4)
    assert after.provenance.notes == "ours = 1"
    assert after.checksum not in (None, before.checksum)
    changed = {"name", "version", "generation", "provenance", "checksum"}
    others = [{k: v for k, v in each.model_dump().items() if k not in changed} for each in (before, after)]
    assert others[0] == others[1]
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []


def test_a_precision_comes_first_by_its_name(folder: Path) -> None:
    manifest = Bundle.load(folder).manifest
    [variant] = manifest.variants
    float32 = variant.model_copy(update={"precision": "float32"})
    Bundle.write_manifest(folder, manifest.model_copy(update={"variants": (variant, float32)}))
    assert _set(folder, "precision=float32").exit_code == 0
    assert [each.precision for each in Bundle.load(folder).manifest.variants] == ["float32", "int8"]
    refused = _set(folder, "precision=int4")
    assert (refused.exit_code, "the bundle has no int4, only float32, int8" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    ("assignment", "reason"),
    [
        ("verison=2", "there is no 'verison', did you mean 'version'?"),
        ("files=x", "'files' is what the export wrote or measured, and cannot be set"),
        ("scores.bleu=99", "'scores.bleu' is what the export wrote or measured"),
        ("name=a b", "name: String should match pattern"),
        ("generation.num_beams=17", "generation.num_beams: Input should be less than or equal to 16, not 17"),
        ("generation.num_beams=many", "generation.num_beams: 'many' is no number"),
    ],
)
def test_what_cannot_be_set_is_refused_by_its_name_and_changes_nothing(
    folder: Path, assignment: str, reason: str
) -> None:
    before = (folder / MANIFEST).read_bytes()
    done = _set(folder, "version=2", assignment)
    assert done.exit_code == 1
    assert reason in done.stderr
    assert (folder / MANIFEST).read_bytes() == before
    Bundle.load(folder)


def test_an_assignment_has_a_value_and_a_field_is_set_once(folder: Path) -> None:
    for assignments, reason in ((("version",), "FIELD=VALUE is expected"), (("version=2", "version=3"), "is set once")):
        done = _set(folder, *assignments)
        assert (done.exit_code, reason in done.stderr) == (2, True)


def test_a_damaged_bundle_gets_no_new_checksums(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    done = _set(folder, "version=2")
    assert (done.exit_code, "tokenizer.json: does not match its checksum" in done.stderr) == (1, True)
    assert json.loads((folder / MANIFEST).read_text())["version"] == "1"


def test_who_edits_a_manifest_by_hand_learns_what_writes_its_checksum(folder: Path) -> None:
    (folder / MANIFEST).write_text((folder / MANIFEST).read_text().replace('"version": "1"', '"version": "2"'))
    done = _inspect(folder)
    assert (done.exit_code, "manifest.json: does not match its checksum" in done.stderr) == (1, True)
    assert "--set FIELD=VALUE" in done.stderr


def test_the_help_lists_what_can_be_set() -> None:
    told = " ".join(CliRunner().invoke(inspect_command, ["--help"]).stdout.split())
    assert all(name in told for name in SETTABLE)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("bogus=1", "there is no 'bogus'"),
        ("generation.num_beams=0", "generation.num_beams: "),
        ("generation.length_penalty=1e400", "generation.length_penalty: '1e400' is no finite number"),
        ("generation.length_penalty=NaN", "generation.length_penalty: 'NaN' is no finite number"),
        ("generation.length_penalty=" + "[" * 100_000, "is no number"),
    ],
)
def test_a_value_that_cannot_be_set_is_an_error_in_words(folder: Path, assignment: str, message: str) -> None:
    done = _set(folder, assignment)
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert done.output.startswith("Error: ")
    assert message in done.output
