"""An interrupted export leaves nothing that a server would load, and does not block the next export."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from regard_export.cli.commands import export_command
from regard_service.bundle import MANIFEST, Bundle
from regard_service.repository.catalogue import scan
from tests.unit.export.transformer_checkpoints import tiny_checkpoint

# Runs the command, which sends itself a signal when a stage begins, so that the test need not wait for the stage.
EXPORT = """
import os, signal, sys
import torch
from regard_export.cli import commands, progress
from regard_export.verification import workload
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in background processes
torch.set_num_threads(1)
workload.MAX_SOURCES, workload.MAX_NEW_TOKENS = 2, 4
stage = progress.Progress.stage

def signalled(self, title):
    stage(self, title)
    if title.startswith(sys.argv[3]):
        os.kill(os.getpid(), int(sys.argv[4]))

progress.Progress.stage = signalled
commands.export_command([sys.argv[1], "-o", sys.argv[2]])
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    tiny_checkpoint().save(folder)
    return folder


@pytest.fixture(autouse=True)
def _few_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
    monkeypatch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)


def _signalled(checkpoint: Path, out: Path, stage: str, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", EXPORT, str(checkpoint), str(out), stage, str(int(number))]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("stage", ["float32: calibrating", "writing the bundle"])
def test_a_killed_exports_files_never_load_and_the_next_export_removes_them(checkpoint, tmp_path, stage: str) -> None:
    ended = _signalled(checkpoint, tmp_path / "tiny", stage, signal.SIGKILL)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not (tmp_path / "tiny").exists()
    assert [path.name for path in tmp_path.iterdir()] == [".tiny.export"]  # killed before the end
    assert scan([tmp_path]) == []

    result = CliRunner().invoke(export_command, [str(checkpoint), "-o", str(tmp_path / "tiny")])
    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]
    assert [entry.folder for entry in scan([tmp_path])] == [tmp_path / "tiny"]
    assert (tmp_path / "tiny" / MANIFEST).is_file()
    assert Bundle.load(tmp_path / "tiny").manifest.name == "tiny"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 1), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_a_terminated_export_leaves_nothing(checkpoint, tmp_path, number, code: int) -> None:
    ended = _signalled(checkpoint, tmp_path / "tiny", "float32: outputs of the original", number)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []
