"""Students export where PyTorch is not installed; other checkpoints ask for it by the extra's name."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from regard_service.bundle import Bundle
from tests.unit.export.student_checkpoints import write_student
from tests.waiting import PATIENCE_S

PACKAGES = ("regard", "regard_service", "regard_models", "regard_export")
# Runs `regard` as if neither package were installed.
WITHOUT_TORCH = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NotInstalled())
from regard.cli import main
sys.exit(main())
"""


def _regard(*arguments: str) -> subprocess.CompletedProcess[str]:
    paths = {str(Path(sys.modules[name].__file__ or "").parents[1]) for name in PACKAGES if name in sys.modules}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", WITHOUT_TORCH, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_student(tmp_path_factory.mktemp("student") / "enpt")


def test_a_student_exports_and_is_verified_again(student: Path, tmp_path: Path) -> None:
    output = tmp_path / "bundle"
    done = _regard("export", str(student), "-o", str(output), "--precision", "float32,int8")
    assert done.returncode == 0, done.stderr
    manifest = Bundle.load(output).manifest
    assert manifest.verification["passed"]
    assert any("beams" in name for name in manifest.verification["checks"]["float32"])
    done = _regard("verify", str(output), "--source", str(student))
    assert done.returncode == 0, done.stderr
    assert _regard("inspect", str(output)).returncode == 0


def test_dev_sentences_are_read(student: Path, tmp_path: Path) -> None:
    for code, line in (("en", "Where is the library?\n"), ("pt", "Onde fica a biblioteca?\n")):
        with gzip.open(tmp_path / f"dev.{code}.gz", "wt", encoding="utf-8") as stream:
            stream.write(line * 4)
    done = _regard("export", str(student), "-o", str(tmp_path / "out"), "--data", str(tmp_path), "--allow-mismatch")
    assert done.returncode == 0, done.stderr
    assert Bundle.load(tmp_path / "out").manifest.verification["dev"]["num_examples"] == {"pt": 4}


def test_what_pytorch_wrote_asks_for_the_extra_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "opus"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "marian"}))
    done = _regard("export", str(folder), "-o", str(tmp_path / "out"))
    assert done.returncode == 1
    assert str(folder) in done.stderr
    assert "pip install 'regard[export-torch]'" in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()
