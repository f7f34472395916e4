"""The fields that all result files share: date, command, commit and machine."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from pydantic import BaseModel, ConfigDict

from benchmarks.harness.machine import Machine

QUICK_NOTE = "A quick run: the figures are rough."


class Measurement(BaseModel):
    """Base of all result files.

    Attributes:
        benchmark: name of the benchmark, which selects the class that reads the file.
        command: command line without paths and addresses.
        commit: short hash of the measured commit, with "+" if files had changed since; "" outside a repository.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    benchmark: str
    date: datetime
    command: str
    commit: str
    machine: Machine

    def heading(self) -> str:
        """One paragraph: date, commit, command and machine."""
        commit = f", commit {self.commit}" if self.commit else ""
        return f"Measured {self.date:%Y-%m-%d}{commit}, with `{self.command}`, on: {self.machine.describe()}."

    def write(self, path: Path) -> None:
        """Writes the measurement as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def circumstances(context: click.Context, module: str) -> dict[str, Any]:
    """Date, command, commit and machine. Call it before the measurement, since it measures the machine's load."""
    return {
        "date": datetime.now(UTC).replace(microsecond=0),
        "command": command_line(context, module),
        "commit": commit_of(Path(__file__).parent),
        "machine": Machine.here(),
    }


def command_line(context: click.Context, module: str) -> str:
    """The command that was run, with placeholders for paths and addresses, which concern one machine only."""
    words = ["python", "-m", module]
    for parameter in context.command.params:
        if not isinstance(parameter, click.Option) or parameter.name in (None, "json_file"):
            continue
        if context.get_parameter_source(str(parameter.name)) == ParameterSource.COMMANDLINE:
            words += _words(parameter, context.params[str(parameter.name)])
    return " ".join(words)


def _words(option: click.Option, value: Any) -> list[str]:
    flag = option.opts[0]
    if option.is_flag:
        return [flag]
    if option.metavar:
        return [flag, option.metavar]
    values = value if isinstance(value, tuple) else (value,)
    return [word for each in values for word in (flag, str(each))]


def commit_of(folder: Path) -> str:
    """Short hash of a repository's checked-out commit, with "+" if files have changed; "" outside a repository."""
    try:
        head = _git(folder, "rev-parse", "--short", "HEAD")
        return head + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
