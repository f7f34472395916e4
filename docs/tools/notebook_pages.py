"""Executed notebooks as pages of the site: texts, code, and what the cells showed when they were last run."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FENCE = "`" * 8  # longer than any in a cell
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PICTURES = ("image/png", "image/jpeg")


def notebook_page(file: Path) -> str:
    """A notebook as Markdown. Nothing is run."""
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(part for number, cell in enumerate(cells, 1) for part in _parts(cell, number)) + "\n"


def _parts(cell: dict[str, Any], number: int) -> Iterator[str]:
    source = _joined(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
    elif source:
        yield _fenced(source, "python")
        yield from (_output(output, number) for output in cell["outputs"])


def _output(output: dict[str, Any], number: int) -> str:
    """What a cell showed, in the richest form that it has."""
    if output["output_type"] == "stream":
        return _fenced(_joined(output["text"]), "text")
    if output["output_type"] == "error":
        raise ValueError(f"cell {number} failed when the notebook was run: {output['ename']}: {output['evalue']}")
    data = output["data"]
    for kind in _PICTURES:
        if kind in data:
            content = _joined(data[kind]).replace("\n", "")
            return f'<img src="data:{kind};base64,{content}" alt="What cell {number} shows">'
    if "text/html" in data:
        return f"<div>{_joined(data['text/html']).strip()}</div>"
    return _fenced(_joined(data["text/plain"]), "text")


def _joined(text: str | list[str]) -> str:
    """A text of a notebook, which may be a list of lines."""
    return text if isinstance(text, str) else "".join(text)


def _fenced(text: str, language: str) -> str:
    return f"{_FENCE}{language}\n{_COLOUR.sub('', text).rstrip()}\n{_FENCE}"
