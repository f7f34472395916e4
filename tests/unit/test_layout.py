"""`tests/unit` mirrors the packages: a test lies where what it tests lies."""

from pathlib import Path

import pytest

UNIT = Path(__file__).parent
ROOT = UNIT.parents[1]
MIRRORED = {
    "benchmarks": "benchmarks",
    "docs": "docs/tools",
    "export": "export/regard_export",
    "models": "models/regard_models",
    "regard": "regard",
    "service": "service/regard_service",
}
FOLDERS = sorted({file.parent.relative_to(UNIT).as_posix() for file in UNIT.rglob("*.py")} - {"."})


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_of_tests_is_that_of_a_package(folder: str) -> None:
    package, _, inner = folder.partition("/")
    mirrored = ROOT / MIRRORED[package] / inner
    assert list(mirrored.glob("*.py")), f"{folder} holds tests, and {mirrored.relative_to(ROOT)} no module"


def test_tests_are_found_by_their_paths() -> None:
    """Packages would be imported by name, and two test files of one name would be one module."""
    assert list(UNIT.rglob("__init__.py")) == []
