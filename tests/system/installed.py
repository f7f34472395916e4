"""Environments for tests of an installation: wheels of this project, and of the libraries only those they require.

Nothing is downloaded. The wheels are built with the setuptools of the tests' environment, and the libraries are links
into it, so a dependency that a distribution uses but does not declare is missing.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.waiting import PATIENCE_S

REPOSITORY = Path(__file__).parents[2]
FOLDERS = {
    "regard": ".",
    "regard-service": "service",
    "regard-models": "models",
    "regard-zoo": "models/zoo",
    "regard-export": "export",
}

# What one build leaves in a folder would be part of the next.
_BUILD_OUTPUTS = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")


@dataclass(frozen=True)
class Environment:
    """An empty environment with some of the wheels."""

    python: Path

    def command(self, *arguments: str) -> list[str]:
        return [str(self.python), "-m", "regard", *arguments]

    def run(self, *arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
        """Runs `python -m regard` in a folder, without the variables of the tests' own environment."""
        return subprocess.run(
            self.command(*arguments),
            cwd=folder,
            env=plain_variables(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )


def plain_variables() -> dict[str, str]:
    """Returns the environment variables, except variables that name import paths, servers or settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "REGARD_", "COV"))}


def build_wheels(folder: Path) -> dict[str, Path]:
    """Builds the wheel of every distribution from a copy of the sources; returns them by their distributions' names."""
    source, wheels = folder / "source", folder / "wheels"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    for name in ("regard", "service", "models", "export"):
        shutil.copytree(REPOSITORY / name, source / name, symlinks=True, ignore=_BUILD_OUTPUTS)
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet")
    for path in FOLDERS.values():
        subprocess.run([*_pip("wheel"), *offline, "--wheel-dir", wheels, f"./{path}"], cwd=source, check=True)
    return {name: next(wheels.glob(f"{name.replace('-', '_')}-*.whl")) for name in FOLDERS}


def create_environment(folder: Path, wheels: Mapping[str, Path], names: Sequence[str], extra: str = "") -> Environment:
    """Installs wheels into a new environment.

    Args:
        folder: where to create it.
        wheels: all wheels by their distributions' names.
        names: the distributions to install.
        extra: of the distribution `regard`, whose libraries are installed too.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    install = [*_pip("--python", str(python), "install"), "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*install, *(wheels[name] for name in names)], check=True)
    [site] = folder.glob("lib/python*/site-packages")
    own: dict[str, metadata.Distribution] = {
        canonicalize_name(dist.name): dist for dist in metadata.distributions(path=[str(site)])
    }
    for library in required_libraries(own, extra):
        for path in {Path(file.parts[0]) for file in metadata.distribution(library).files or ()}:
            linked, target = site / path, Path(str(metadata.distribution(library).locate_file(path)))
            if path.name not in ("..", "__pycache__") and not linked.exists():
                linked.symlink_to(target)
    return Environment(python)


def required_libraries(own: Mapping[str, metadata.Distribution], extra: str) -> set[str]:
    """The libraries that `regard` with this extra requires, itself or through others."""
    pending = [("regard", frozenset({extra}))]
    done: set[tuple[str, frozenset[str]]] = set()
    while pending:
        name, extras = pending.pop()
        if (name, extras) not in done:
            done.add((name, extras))
            pending += requirements_of(own.get(name) or metadata.distribution(name), extras)
    return {name for name, _ in done if name not in FOLDERS}


def requirements_of(distribution: metadata.Distribution, extras: Iterable[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yields name and extras of what a distribution with these extras requires on this machine."""
    for line in distribution.requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)


def wheel_metadata(wheel: Path) -> metadata.Distribution:
    """The metadata in a wheel."""
    return next(iter(metadata.distributions(path=[str(wheel)])))


def wheel_files(wheel: Path) -> list[str]:
    """The files in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def _pip(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pip", *arguments]
