"""Runs the notebooks of docs/notebooks from their first cell to their last; a cell that raises fails.

    python -m docs.tools.notebooks [--write] [NAME...]

--write keeps the outputs in the files, for readers who do not run them.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
CELL_TIMEOUT_S = 600  # ends what hangs


def run(path: Path) -> Any:
    """Returns the notebook with its outputs. Raises CellExecutionError."""
    notebook: Any = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=CELL_TIMEOUT_S, resources={"metadata": {"path": str(path.parent)}})
    client.execute()
    for cell in notebook.cells:  # times and numbers of a run would change the file each time
        cell.metadata.pop("execution", None)
    return notebook


def main() -> None:
    """Runs the notebooks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    for path in sorted(FOLDER.glob("*.ipynb")):
        if options.names and path.stem not in options.names:
            continue
        begin = time.monotonic()
        notebook = run(path)
        if options.write:
            nbformat.write(notebook, path)
        sys.stdout.write(f"{path.name}: {time.monotonic() - begin:.0f} s\n")


if __name__ == "__main__":
    main()
