"""Programs that tests of deploy/ need and pip does not bring."""

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"

Value = TypeVar("Value")


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


def wait_for(what: Callable[[], Value], timeout_s: float, every_s: float = 0.1) -> Value:
    """Asks again and again until the answer is true in Python's sense, and returns it."""
    end = time.monotonic() + timeout_s
    while not (value := what()):
        assert time.monotonic() < end, f"not within {timeout_s} s"
        time.sleep(every_s)
    return value
