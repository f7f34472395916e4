"""The peers' Python environments: one per peer, with the pinned versions of requirements/."""

import os
import subprocess
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"
NAMES = tuple(sorted(file.stem for file in REQUIREMENTS.glob("*.txt")))
DONE = ".installed"  # contains the installed requirements


class InstallFailed(Exception):
    """pip failed; the message ends with the tail of its output."""


def python_of(folder: Path, name: str) -> Path:
    """The interpreter of an environment."""
    return folder / name / "bin" / "python"


def install(folder: Path, name: str) -> None:
    """Makes or updates an environment; does nothing if its requirements are installed.

    Raises:
        InstallFailed: pip failed.
    """
    required = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    done = folder / name / DONE
    if done.exists() and done.read_text(encoding="utf-8") == required:
        return
    if not python_of(folder, name).exists():
        venv.create(folder / name, with_pip=True, symlinks=True)
    # The constraints of this repository do not apply to peers.
    variables = {key: value for key, value in os.environ.items() if not key.endswith("_CONSTRAINT")}
    command = [str(python_of(folder, name)), "-m", "pip", "install", "--quiet", "--requirement"]
    command.append(str(REQUIREMENTS / f"{name}.txt"))
    ran = subprocess.run(command, env=variables, capture_output=True, text=True)
    if ran.returncode:
        raise InstallFailed(f"environment {name}: {ran.stderr[-2000:]}")
    done.write_text(required, encoding="utf-8")
