"""The tables of a page that say which calls a door answers, and which parameters it takes."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"

_CALL = re.compile(r"^\| `([A-Z]+) (/[^`]*)` \| (yes|no) \|", re.MULTILINE)
_ROW = re.compile(r"^\| (`[a-z_`, ]+`) \|", re.MULTILINE)


def documented_calls(page: str) -> dict[tuple[str, str], bool]:
    """Returns whether each call of a page's table is supported, by its verb and path."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return {(verb, path): supported == "yes" for verb, path, supported in _CALL.findall(text)}


def documented_names(page: str, heading: str) -> set[str]:
    """Returns the names in the first column of the table below a heading."""
    text = (DOCS / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return {name for row in _ROW.findall(text) for name in re.findall(r"`([a-z_]+)`", row)}
