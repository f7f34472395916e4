"""`python -m deploy.locks.write`: locks what is installed, by version and hash, for each way to install.

Versions are those of constraints.txt, which the tests run with. A lock names every file of a version that the package
index offers, for all platforms, so that pip refuses any other: `pip install --require-hashes`. Our own distributions
are not in it; they come from the checkout. Needs uv.
"""

import argparse
import os
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parents[1]
PROJECTS = (".", "service", "models", "models/zoo", "export")
BUILD = "setuptools"  # builds our own distributions

# The extras of "regard" that each lock is for.
LOCKS = {
    "client": (),
    "serve": ("serve", "otel"),
    "gpu": ("gpu", "otel"),
    "export": ("serve", "export"),
    "export-torch": ("serve", "export-torch"),
    "plot": ("plot",),
}
# What the image for GPUs needs beside: the CUDA libraries, as wheels.
MORE = {"gpu": ("onnxruntime-gpu[cuda,cudnn]",)}


def main() -> None:
    """Writes the locks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uv", default="uv", help="the program")
    program = parser.parse_args().uv
    for name in LOCKS:
        lock(name, program)


def lock(name: str, program: str) -> None:
    """Writes one lock; other versions than those of constraints.txt are an error."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.in"
        wanted.write_text("\n".join(sorted({*third_party(name), BUILD})) + "\n")
        command = [
            program, "pip", "compile", "--universal", "--python-version=3.11", "--generate-hashes", "--no-header",
            "--no-annotate", "--quiet", f"--constraint={REPOSITORY / 'constraints.txt'}",
            f"--output-file={Path(folder) / 'lock.txt'}", str(wanted),
        ]  # fmt: skip
        subprocess.run(command, check=True, env={**os.environ, "UV_NO_CONFIG": "1"})
        (FOLDER / f"{name}.txt").write_text((Path(folder) / "lock.txt").read_text())


def third_party(name: str) -> Iterator[str]:
    """Yields the requirements of a lock that are not ours."""
    projects = _projects()
    waiting = [Requirement("regard"), *(Requirement(f"regard[{extra}]") for extra in LOCKS[name])]
    seen: set[str] = set()
    while waiting:
        wanted = waiting.pop()
        if str(wanted) in seen:
            continue
        seen.add(str(wanted))
        project = projects.get(wanted.name)
        if project is None:
            yield str(wanted)
            continue
        waiting += map(Requirement, project["dependencies"])
        for extra in wanted.extras:
            waiting += map(Requirement, project["optional-dependencies"][extra])
    yield from MORE.get(name, ())


def _projects() -> dict[str, dict[str, dict[str, list[str]]]]:
    found = {}
    for folder in PROJECTS:
        project = tomllib.loads((REPOSITORY / folder / "pyproject.toml").read_text())["project"]
        found[project["name"]] = {"dependencies": [], "optional-dependencies": {}, **project}
    return found


if __name__ == "__main__":
    main()
