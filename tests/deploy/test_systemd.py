"""The unit of systemd: systemd reads it, and its times fit the server's settings."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from regard_service.app.settings import Settings
from tests.deploy.tools import DEPLOY

UNIT = DEPLOY / "systemd" / "regard.service"


def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is missing; it comes with systemd")
    text = UNIT.read_text()
    assert "ExecStart=/opt/regard/bin/regard serve " in text
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace("/opt/regard/bin/regard", "/bin/true"))  # a program that is installed here
    done = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_waits_longer_than_the_server_drains() -> None:
    found = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert found is not None
    settings = Settings()
    assert int(found[1]) > settings.drain_delay_s + settings.drain_timeout_s
