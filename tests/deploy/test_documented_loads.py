"""The commands of deploy/README.md's section on load tests, as they stand there, against a real server."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.tools import DEPLOY, NUM_LOCUST_REQUESTS, ROOT
from tests.system.served import Served, served
from tests.waiting import PATIENCE_S

SECTION = (DEPLOY / "README.md").read_text().partition("## Load tests\n")[2]
COMMANDS = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)[0].splitlines()
LOCUSTFILES = "-f deploy/loadtest/locustfile.py,tests/deploy/locust_quits.py"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(
        "--models=everyday", "--deepl-door", "--max-queue=4096"
    ) as server:  # a slow machine may be late, but must not refuse
        yield server


def test_both_generators_are_documented() -> None:
    assert [("locust " in command, "deploy.loadtest" in command) for command in COMMANDS] == [
        (False, True),
        (False, True),
        (False, True),
        (True, False),
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_command_works(server: Served, tmp_path: Path, command: str) -> None:
    """Shortened, without locust's page, on the test's server; of an option given twice the last counts."""
    changes = {
        "deploy.loadtest": f"--server {server.target} --http 127.0.0.1:{server.http_port} --duration 2",
        "locust ": f"{LOCUSTFILES} --host {server.target} --headless --users 4 --spawn-rate 4",
    }
    (change,) = [change for word, change in changes.items() if word in command]
    for name in re.findall(r"run\.\w+", command):
        command = command.replace(name, str(tmp_path / name))
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "NUM_REQUESTS": str(NUM_LOCUST_REQUESTS),
    }
    done = subprocess.run(
        f"{command} {change}", shell=True, cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "latency from when a call was due" in done.stdout or "sentence, 4 beams" in done.stderr + done.stdout
    assert {file.name for file in tmp_path.iterdir()} == set(re.findall(r"run\.\w+", command))
