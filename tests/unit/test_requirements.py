"""Every distribution requires what it imports, requires it once, and every required library is pinned."""

import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
# Each package, and the file that says what it requires.
PROJECTS = {
    "regard": "pyproject.toml",
    "service/regard_service": "service/pyproject.toml",
    "models/regard_models": "models/pyproject.toml",
    "export/regard_export": "export/pyproject.toml",
}
OWN = {"regard", "regard_service", "regard_models", "regard_export", "regard_zoo"}
OWN_DISTRIBUTIONS = {canonicalize_name(name) for name in OWN}
THROUGH_AN_EXTRA = {"export/regard_export": {"onnxruntime", "torch"}}  # of another distribution of ours
IMPORTED_BY_LIBRARIES = {"export/regard_export": {"protobuf"}}  # sentencepiece imports it, and does not require it
IN_ENVIRONMENTS_OF_THEIR_OWN = {"ray"}  # and not in this one, whose metadata name a library's modules
EXCLUDES_A_PINNED_ONE = {"onnxruntime-gpu"}  # an environment has this or onnxruntime


@pytest.fixture(scope="module")
def libraries() -> dict[str, set[str]]:
    """The libraries that provide a top-level name; of a namespace, such as `google`, there are several."""
    found = metadata.packages_distributions()
    return {name: {canonicalize_name(library) for library in found[name]} for name in found}


def requirements(file: str, *, with_extras: bool) -> list[Requirement]:
    """The requirements of a distribution, in the order of its file."""
    project: Mapping[str, Any] = tomllib.loads((ROOT / file).read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values() if with_extras else ()
    return [Requirement(line) for line in [*project["dependencies"], *(line for extra in extras for line in extra)]]


def imported(package: str) -> set[str]:
    """Top-level names of libraries that the modules of a package import, also within functions."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / package).rglob("*.py")))
    return (
        {name for tree in trees for name in imported_by(tree)}
        - sys.stdlib_module_names
        - OWN
        - IN_ENVIRONMENTS_OF_THEIR_OWN
    )


def imported_by(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("package", PROJECTS)
def test_what_a_package_imports_is_required(package: str, libraries: dict[str, set[str]]) -> None:
    """A library that only another library requires may be gone with that one's next version."""
    required = {str(canonicalize_name(each.name)) for each in requirements(PROJECTS[package], with_extras=True)}
    required |= THROUGH_AN_EXTRA.get(package, set())
    assert [name for name in sorted(imported(package)) if not libraries[name] & required] == []


@pytest.mark.parametrize("package", PROJECTS)
def test_what_is_required_without_an_extra_is_imported(package: str, libraries: dict[str, set[str]]) -> None:
    required = {canonicalize_name(each.name) for each in requirements(PROJECTS[package], with_extras=False)}
    used = {library for name in imported(package) for library in libraries[name]}
    assert sorted(required - used - OWN_DISTRIBUTIONS - IMPORTED_BY_LIBRARIES.get(package, set())) == []


@pytest.mark.parametrize("file", PROJECTS.values())
def test_a_library_is_required_once(file: str) -> None:
    names = [canonicalize_name(each.name) for each in requirements(file, with_extras=False)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("file", PROJECTS.values())
def test_required_libraries_are_pinned(file: str) -> None:
    """Images and environments take the versions of constraints.txt; without one, a library changes unnoticed."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    versions = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in versions.items()}
    for each in requirements(file, with_extras=True):
        if canonicalize_name(each.name) not in OWN_DISTRIBUTIONS | EXCLUDES_A_PINNED_ONE:
            assert each.specifier.contains(pinned[canonicalize_name(each.name)]), each
