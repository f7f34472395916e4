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

from regard_service.bundle import MANIFEST, Bundle, BundleError, sha256, zoo_folder


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


def test_a_pipe_is_no_manifest(folder: Path) -> None:
    """Reading it would wait for ever."""
    (folder / MANIFEST).unlink()
    os.mkfifo(folder / MANIFEST)
    assert reasons(folder) == ["manifest.json: is not a file"]


def test_a_huge_manifest_is_not_read(folder: Path) -> None:
    with (folder / MANIFEST).open("ab") as stream:
        stream.truncate(8 * 2**30)  # takes no space
    assert reasons(folder) == [f"manifest.json: has {8 * 2**30} bytes; the limit is {16 * 2**20}"]


@pytest.mark.parametrize("version", ["1\n2", "1\x1b[2J", "\x00", "1\u2028", "x" * 65, ""])
def test_a_version_that_cannot_be_shown_is_refused(folder: Path, version: str) -> None:
    edit(folder, version=version)
    assert any("version" in reason for reason in reasons(folder))


def weights_elsewhere(folder: Path, location: str) -> None:
    """Makes a graph take its weights from another file, as ONNX Runtime would."""
    graph = folder / "int8" / "step.onnx"
    content = graph.read_bytes()
    old, new = b"\x0a\x08location\x12\x0bweights.bin", location.encode()
    assert old in content
    assert len(new) == len(b"weights.bin")
    graph.write_bytes(content.replace(old, b"\x0a\x08location\x12\x0b" + new))


def test_weights_that_the_manifest_does_not_list_are_refused(folder: Path) -> None:
    weights_elsewhere(folder, "private.key")
    (folder / "int8" / "private.key").write_bytes((folder / "int8" / "weights.bin").read_bytes())
    manifest = json.loads((folder / MANIFEST).read_text())
    checksum = sha256(folder / "int8" / "step.onnx")
    edit(folder, files={**manifest["files"], "int8/step.onnx": checksum}, checksum=None)
    assert reasons(folder) == [
        "int8/step.onnx: takes weights from 'int8/private.key', which the manifest does not list"
    ]


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x3a\xff\xff\xff\xff\x7f"])
def test_a_file_that_is_no_graph_is_refused(folder: Path, content: bytes) -> None:
    (folder / "int8" / "step.onnx").write_bytes(content)
    manifest = json.loads((folder / MANIFEST).read_text())
    checksum = sha256(folder / "int8" / "step.onnx")
    edit(folder, files={**manifest["files"], "int8/step.onnx": checksum}, checksum=None)
    assert len(reasons(folder)) == 1
    assert reasons(folder)[0].startswith("int8/step.onnx: ")
