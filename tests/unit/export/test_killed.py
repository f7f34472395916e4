"""An export that is killed leaves nothing that a server would load, and does not stand in the way of the next one."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from export.cli import export_command
from models.bundle import MANIFEST, Bundle
from service.catalogue import scan
from tests.unit.export.checkpoints import tiny_checkpoint

# Exports, and is killed as soon as a stage begins: from within, so that nothing has to be waited for.
EXPORT = """
import os, signal, sys
from pathlib import Path
import torch
from export import exporting, families, verify
torch.set_num_threads(1)
verify.NUM_SENTENCES, verify.MAX_NEW_TOKENS = 2, 4

def stage(title):
    if title.startswith(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

options = exporting.ExportOptions("tiny", "1", ("float32",), {})
exporting.export(families.load(Path(sys.argv[1])), Path(sys.argv[2]), options, stage)
"""


@pytest.mark.parametrize("stage", ["float32: building graphs", "float32: soundness", "writing the bundle"])
def test_a_killed_export_leaves_nothing_that_loads(tmp_path: Path, monkeypatch, stage: str) -> None:
    checkpoint, bundles = tmp_path / "checkpoint", tmp_path / "bundles"
    checkpoint.mkdir()
    tiny_checkpoint().save(checkpoint)
    command = [sys.executable, "-c", EXPORT, str(checkpoint), str(bundles / "tiny"), stage]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not (bundles / "tiny").exists()
    assert any(bundles.iterdir())  # it was in the middle
    assert scan([bundles]) == []

    monkeypatch.setattr("export.verify.NUM_SENTENCES", 2)
    monkeypatch.setattr("export.verify.MAX_NEW_TOKENS", 4)
    result = CliRunner().invoke(export_command, [str(checkpoint), "-o", str(bundles / "tiny")])
    assert result.exit_code == 0, result.output
    assert [entry.folder for entry in scan([bundles])] == [bundles / "tiny"]
    assert (bundles / "tiny" / MANIFEST).is_file()
    assert Bundle.load(bundles / "tiny").manifest.name == "tiny"
