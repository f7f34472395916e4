import json
from pathlib import Path
from typing import Any

import pytest

from docs.tools.notebook_pages import notebook_page

FOLDER = Path(__file__).parents[3] / "docs" / "notebooks"


def page(tmp_path: Path, *cells: dict[str, Any]) -> str:
    file = tmp_path / "some.ipynb"
    file.write_text(json.dumps({"cells": cells}))
    return notebook_page(file)


def code(*outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": ["1 +", " 1"], "outputs": outputs}


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.ipynb")), ids=lambda file: str(file.stem))
def test_a_page_has_the_texts_the_code_and_the_pictures_of_its_notebook(file: Path) -> None:
    cells = json.loads(file.read_text())["cells"]
    text = notebook_page(file)
    assert text.startswith("# ")
    assert all("".join(cell["source"]) in text for cell in cells)
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) > 0
    assert text.count('<img src="data:image/png;base64,') == len(pictures)


def test_outputs_keep_their_order_and_colours_of_a_terminal_are_left_out(tmp_path: Path) -> None:
    text = page(
        tmp_path,
        code(
            {"output_type": "stream", "text": ["\x1b[1mone\x1b[0m\n"]},
            {"output_type": "execute_result", "data": {"text/plain": ["<two>"], "text/html": "<b>two</b>"}},
            {"output_type": "display_data", "data": {"text/plain": "three"}},
        ),
    )
    assert "\x1b" not in text
    assert text.index("\none\n") < text.index("<div><b>two</b></div>") < text.index("\nthree\n")
    assert "<two>" not in text
    assert "1 + 1" in text


def test_a_notebook_that_failed_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cell 1 failed when the notebook was run: TypeError: no"):
        page(tmp_path, code({"output_type": "error", "ename": "TypeError", "evalue": "no", "traceback": []}))
