"""The peers' environments: one each, with the pinned versions of requirements/."""

import os
import subprocess
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"
NAMES = tuple(sorted(file.stem for file in REQUIREMENTS.glob("*.txt")))
DONE = ".installed"  # holds the requirements that were installed


class InstallFailed(Exception):
    """An environment that could not be made, with what pip said last."""


def python_of(folder: Path, name: str) -> Path:
    """The interpreter of an environment."""
    return folder / name / "bin" / "python"


def install(folder: Path, name: str) -> None:
    """Makes an environment, or makes it up to date; does nothing where its requirements are installed.

    Raises:
        InstallFailed: pip failed.
    """
    wanted = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    done = folder / name / DONE
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return
    if not python_of(folder, name).exists():
        venv.create(folder / name, with_pip=True, symlinks=True)
    # The pins of this repository are not the peers'.
    variables = {key: value for key, value in os.environ.items() if not key.endswith("_CONSTRAINT")}
    command = [str(python_of(folder, name)), "-m", "pip", "install", "--quiet", "--requirement"]
    command.append(str(REQUIREMENTS / f"{name}.txt"))
    ran = subprocess.run(command, env=variables, capture_output=True, text=True)
    if ran.returncode:
        raise InstallFailed(f"environment {name}: {ran.stderr[-2000:]}")
    done.write_text(wanted, encoding="utf-8")
