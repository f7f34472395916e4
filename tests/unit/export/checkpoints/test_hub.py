"""Checkpoints by name: calls of the hub's client, and messages for its failures."""

import socket
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

from regard_export.checkpoints import hub
from regard_export.errors import ExportError

FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "source.spm",
    "merges.txt",
    "README.md",
    "model-00001-of-00002.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "tf_model.h5",
    "flax_model.msgpack",
    "modeling_own.py",
    "onnx/config.json",
)


class FakeHub:
    """Replaces `snapshot_download`: writes the files of these names into a folder named by a commit."""

    def __init__(self, cache: Path, files: tuple[str, ...]) -> None:
        self.folder = cache / "0123abc"
        self.files = files
        self.revisions: list[str | None] = []

    def __call__(
        self, name: str, *, revision: str | None, allow_patterns: list[str], ignore_patterns: list[str]
    ) -> str:
        self.revisions.append(revision)
        for file in self.files:
            is_allowed = any(fnmatch(file, p) for p in allow_patterns)
            if is_allowed and not any(fnmatch(file, p) for p in ignore_patterns):
                (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / file).write_text("license: cc-by-4.0\n" if file == "README.md" else "")
        return str(self.folder)

    @property
    def fetched(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    client = FakeHub(tmp_path, FILES)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", client)
    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", lambda *_, **__: None)  # the hub answers
    return client


def test_safetensors_and_texts_are_fetched_and_nothing_else(fake) -> None:
    found = hub.find_checkpoint("owner/model", "v2")
    assert fake.fetched == set(FILES[:8])
    assert (found.origin, found.license) == ("owner/model, revision 0123abc", "cc-by-4.0")
    assert fake.revisions == ["v2"]


def test_pickles_are_fetched_only_without_safetensors(fake) -> None:
    fake.files = tuple(file for file in FILES if "safetensors" not in file)
    hub.find_checkpoint("owner/model", None)
    assert "pytorch_model.bin" in fake.fetched
    assert not {"tf_model.h5", "modeling_own.py"} & fake.fetched


def test_a_folder_needs_no_hub_and_has_no_revisions(tmp_path, fake) -> None:
    (tmp_path / "README.md").write_text("---\nlanguage: en\nlicense: 'mit'\n---\n# Model\n")
    assert hub.find_checkpoint(str(tmp_path), None) == hub.FoundCheckpoint(tmp_path, license="mit")
    with pytest.raises(ExportError, match="has no revisions"):
        hub.find_checkpoint(str(tmp_path), "main")
    assert fake.revisions == []


def test_a_path_that_does_not_exist_is_no_repository_name(tmp_path) -> None:
    with pytest.raises(ExportError, match="neither a folder nor the name of a repository"):
        hub.find_checkpoint(str(tmp_path / "gone"), None)


@pytest.mark.parametrize("offline", [True, False])
def test_an_unreachable_hub(tmp_path, monkeypatch, offline: bool) -> None:
    """The real client, offline or with a port on which no server listens."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ExportError, match=r"owner/model.*hub"):
        hub.find_checkpoint("owner/model", None)


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        ("RepositoryNotFoundError", "no repository of this name"),
        ("RevisionNotFoundError", "has no revision 'v9'"),
        ("GatedRepoError", "accept its terms"),
    ],
)
def test_the_hubs_refusals_become_advice(tmp_path, monkeypatch, raised: str, message: str) -> None:
    error: Any = getattr(huggingface_hub.errors, raised)

    def fail(*_: object, **__: object) -> None:
        raise error.__new__(error)

    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", fail)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ExportError, match=message):
        hub.find_checkpoint("owner/model", "v9")


def _cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Writes a repository into the client's cache as a download does."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = cache / "models--owner--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for file in ("config.json", "model.safetensors"):
        (snapshot / file).write_text("")
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(cache))
    return snapshot


def test_the_cache_replaces_a_hub_that_never_answers(tmp_path, monkeypatch) -> None:
    """The real client, and a hub that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent_hub:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent_hub.getsockname()[1]}")
        monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.2)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
        with pytest.raises(ExportError, match="the hub is not to be reached"):
            hub.find_checkpoint("owner/model", None)
        snapshot = _cached(tmp_path / "cache", monkeypatch)
        assert hub.find_checkpoint("owner/model", None).path == snapshot


def test_the_cache_replaces_a_hub_that_refuses(tmp_path, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        error: Any = huggingface_hub.errors.GatedRepoError
        raise error.__new__(error)

    snapshot = _cached(tmp_path, monkeypatch)
    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", fail)
    assert hub.find_checkpoint("owner/model", None).path == snapshot
