"""The architecture page names files that exist, and its pictures are what their script draws."""

import re
from pathlib import Path

import pytest

from docs.tools.diagrams import DIAGRAMS, FOLDER

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)+)`")
FOLDERS = re.compile(r"^\| `(\w+)`", re.MULTILINE)  # the first column of the table of folders
PACKAGES = {"architecture-export": "export/regard_export"}


def test_every_file_on_the_page_exists() -> None:
    names = {*PATH.findall(PAGE), *FOLDERS.findall(PAGE)}
    assert len(names) > 40
    assert [name for name in sorted(names) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("name", DIAGRAMS)
def test_every_folder_in_a_picture_exists(name: str) -> None:
    package = ROOT / PACKAGES.get(name, "service/regard_service")
    lines = [line for box in DIAGRAMS[name]().boxes for line in box.lines if line.startswith("`")]
    folders = [folder for line in lines for folder in line.strip("`").split(", ")]
    assert [folder for folder in folders if not (package / folder).is_dir()] == []


@pytest.mark.parametrize("name", DIAGRAMS)
def test_a_picture_is_what_its_script_draws(name: str) -> None:
    drawn = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert drawn == DIAGRAMS[name]().svg(), "run `python -m docs.tools.diagrams`"


@pytest.mark.parametrize("name", DIAGRAMS)
def test_text_fits_into_its_box(name: str) -> None:
    boxes = DIAGRAMS[name]().boxes
    assert [b.title for b in boxes if b.least_width > b.width or b.least_height > b.height] == []


@pytest.mark.parametrize("name", DIAGRAMS)
def test_everything_is_within_the_picture(name: str) -> None:
    diagram = DIAGRAMS[name]()
    corners = [(box.x + box.width, box.bottom) for box in diagram.boxes]
    points = [point for arrow in diagram.arrows for point in arrow.points]
    assert all(0 <= x <= diagram.width and 0 <= y <= diagram.height for x, y in [*corners, *points])
