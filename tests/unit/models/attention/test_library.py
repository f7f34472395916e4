"""The table in the library's README has a row for every mechanism, and its test exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
LIBRARY = ROOT / "models" / "regard_models" / "attention"
README = (LIBRARY / "README.md").read_text(encoding="utf-8")
SHARED = {"masking", "score", "heads"}
MECHANISMS = sorted({file.stem for file in LIBRARY.glob("*.py")} - SHARED - {"__init__"})
COLUMNS = ["file", "paper", "equation", "time", "memory", "differentiable", "used in", "test"]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


ROWS = {
    match.group(1): dict(zip(COLUMNS, cells(line), strict=True))
    for line in README.splitlines()
    if (match := re.match(r"\| \[`(\w+)\.py`\]", line))
}


def test_table_and_folder_hold_the_same() -> None:
    assert cells(next(line for line in README.splitlines() if line.startswith("| file"))) == COLUMNS
    assert sorted(ROWS) == MECHANISMS
    assert all(f"[`{name}.py`]({name}.py)" in README for name in SHARED)


@pytest.mark.parametrize("name", MECHANISMS)
def test_row_is_whole_and_names_its_test(name: str) -> None:
    row = ROWS[name]
    assert all(row.values())
    assert f"({name}.py)" in row["file"]
    assert f"[`test_{name}.py`](../../../tests/unit/models/attention/test_{name}.py)" == row["test"]
    assert (Path(__file__).parent / f"test_{name}.py").is_file()


@pytest.mark.parametrize("name", MECHANISMS)
def test_docstring_has_equation_and_paper_of_the_row(name: str) -> None:
    docstring = ast.get_docstring(ast.parse((LIBRARY / f"{name}.py").read_text(encoding="utf-8"))) or ""
    assert re.search(r"^    \S", docstring, re.MULTILINE), "no equation"
    paper = re.match(r"(\w+).*?(\d{4})", ROWS[name]["paper"])
    assert paper
    assert re.search(rf"{paper.group(1)}\b[^.]*(?:\. )?{paper.group(2)}", docstring)


@pytest.mark.parametrize("name", MECHANISMS)
def test_row_names_every_net_that_uses_it(name: str) -> None:
    for net in sorted((ROOT / "models" / "regard_models" / "nets").glob("*.py")):
        if f"regard_models.attention.{name} import" in net.read_text(encoding="utf-8"):
            assert f"(../nets/{net.name})" in ROWS[name]["used in"]


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert (LIBRARY / link).exists(), link
