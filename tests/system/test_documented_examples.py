"""The commands that README.md and docs/ show with their output print this output."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.served import served
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/texts.md")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^\$ (.*\n)((?:(?!\$ ).*\n)*)", re.MULTILINE)


def examples(page: str) -> list[tuple[str, str]]:
    """The commands of a page that it shows with an output, each with its output."""
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    return [match for block in blocks for match in COMMAND.findall(block) if match[1]]


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with served("--models=everyday") as server:
        yield server.target


@pytest.mark.parametrize("page", PAGES)
def test_a_command_prints_what_the_page_shows(page: str, target: str) -> None:
    assert examples(page)
    regard = f'regard() {{ "{sys.executable}" -m regard "$@"; }}\n'
    for command, output in examples(page):
        done = subprocess.run(
            ["bash", "-c", regard + command],
            env={**os.environ, "REGARD_SERVER": target},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, output), done.stderr
