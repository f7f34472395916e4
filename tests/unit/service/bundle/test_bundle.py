"""A bundle that is not what its manifest says is refused with every reason."""

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regard_service.bundle import MANIFEST, Bundle, BundleError, zoo_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copies a shipped bundle, for tests that damage it."""
    return Path(shutil.copytree(zoo_folder() / "everyday", tmp_path / "everyday"))


def edit(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, **changes}))


def reasons(folder: Path) -> list[str]:
    with pytest.raises(BundleError) as refused:
        Bundle.load(folder)
    return refused.value.reasons


def test_a_shipped_bundle_loads(folder: Path) -> None:
    bundle = Bundle.load(folder)
    assert bundle.manifest.name == "everyday"
    assert bundle.manifest.named_files() == bundle.manifest.files.keys()


def test_a_bundle_without_manifest_is_refused(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    assert reasons(folder) == ["manifest.json: No such file or directory"]


def test_every_reason_is_listed(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with (folder / "int8" / "step.onnx").open("ab") as graph:
        graph.write(b"\0")
    assert sorted(reasons(folder)) == ["int8/step.onnx: does not match its checksum", "tokenizer.json: is missing"]


def test_unknown_and_malformed_fields_are_refused_by_name(folder: Path) -> None:
    edit(folder, max_source_tokens=-1, colour="blue")
    found = "\n".join(reasons(folder))
    assert "max_source_tokens" in found
    assert "colour" in found


@pytest.mark.parametrize("field", ["max_source_tokens", "max_target_tokens", "num_parameters"])
def test_numbers_beyond_int32_are_refused(folder: Path, field: str) -> None:
    """Found by fuzzing: one model with a large number made every ListModels fail."""
    edit(folder, **{field: 10**22})
    assert any(field in reason for reason in reasons(folder))


@pytest.mark.parametrize("name", ["../outside.bin", "/etc/hostname", "int8/../../outside.bin"])
def test_a_file_outside_the_bundle_is_refused(folder: Path, name: str) -> None:
    (folder.parent / "outside.bin").write_bytes(b"secret")
    manifest = json.loads((folder / MANIFEST).read_text())
    edit(folder, files={**manifest["files"], name: "0" * 64})
    assert any("outside the bundle" in reason for reason in reasons(folder))


def test_a_link_is_refused(folder: Path) -> None:
    target = folder.parent / "elsewhere.json"
    shutil.move(folder / "tokenizer.json", target)
    os.symlink(target, folder / "tokenizer.json")
    assert reasons(folder) == ["tokenizer.json: is reached over a link"]


def test_a_file_without_checksum_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["files"]["tokenizer.json"]
    edit(folder, files=manifest["files"], checksum=None)
    assert reasons(folder) == ["tokenizer.json: has no checksum in the manifest"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(position=st.integers(0, 10**6), value=st.integers(0, 255))
def test_a_damaged_manifest_is_refused_or_means_the_same(folder: Path, position: int, value: int) -> None:
    """No byte of the manifest makes `load` raise any other error."""
    original = (zoo_folder() / "everyday" / MANIFEST).read_bytes()
    damaged = bytearray(original)
    damaged[position % len(damaged)] = value
    (folder / MANIFEST).write_bytes(damaged)
    with contextlib.suppress(BundleError):
        assert Bundle.load(folder).manifest.files
