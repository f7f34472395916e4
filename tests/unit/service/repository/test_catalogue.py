"""Folders of model directories, whatever they are named and hold."""

import json
import os
import shutil
from pathlib import Path

from regard_service.bundle import zoo_folder
from regard_service.convert.models import write_model
from regard_service.repository.catalogue import scan
from regard_service.repository.model_repository import ModelRepository


def test_a_folder_that_cannot_be_shown_is_refused_alone(tmp_path: Path) -> None:
    """Bytes that are not UTF-8, a line break, a pipe for a manifest: the other model serves, and all can be listed."""
    source = zoo_folder() / "everyday"
    shutil.copytree(source, tmp_path / "Upper")
    manifest = tmp_path / "Upper" / "manifest.json"
    fields = json.loads(manifest.read_text()) | {"name": "Upper", "checksum": None}
    manifest.write_text(json.dumps(fields))
    for name in (b"caf\xe9", b"two\nlines"):
        folder = os.fsencode(tmp_path) + b"/" + name
        os.mkdir(folder)
        with open(folder + b"/manifest.json", "w") as stream:
            stream.write(json.dumps(fields | {"name": "other"}))
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "manifest.json")
    repository = ModelRepository([tmp_path])
    infos = {info.name: info for info in repository.infos()}
    assert infos["Upper"].state == "ready"
    assert {name for name, info in infos.items() if info.state == "failed"} == {r"caf\xe9", r"two\nlines", "pipe"}
    for info in infos.values():
        write_model(info).SerializeToString()
    assert all(entry.version.isprintable() for entry in scan([tmp_path]))
