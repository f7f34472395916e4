"""Reads data sets: gzip, UTF-8, one example per line."""

import gzip
from itertools import islice
from pathlib import Path

from benchmarks.quality.task import LeftOut


def read_lines(path: Path, limit: int | None = None) -> list[str]:
    """Reads up to `limit` lines of a file and collapses white space except tabs.

    Raises:
        LeftOut: the file is missing.
    """
    if not path.exists():
        raise LeftOut(f"there is no {path.name} in the folder {path.parent.name}")
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        return ["\t".join(" ".join(cell.split()) for cell in line.split("\t")) for line in islice(lines, limit)]


def data_folder(data: Path, name: str) -> Path:
    """The folder of a data set.

    Raises:
        LeftOut: the folder is missing.
    """
    folder = data / name
    if not folder.is_dir():
        raise LeftOut(f"there is no folder {name}")
    return folder
