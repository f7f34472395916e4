"""Programs that tests of deploy/ need and pip does not bring."""

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
NUM_LOCUST_REQUESTS = 40  # with its seed, a scenario of a few parts draws each of them before


def program(name: str, source: str) -> str:
    """The path of a program. Without it a test is skipped, but in CI, where .ci/run installs it, the test fails.

    Args:
        source: where it comes from, for the message.
    """
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        message = f"{name} is missing; it comes from {source}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def venv_program(name: str) -> str:
    """The path of a program that pip has installed beside this Python."""
    return str(Path(sys.executable).with_name(name))


def free_port() -> int:
    """A loopback port that was free a moment ago, for programs that cannot choose one themselves."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether a program listens on a loopback port."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
