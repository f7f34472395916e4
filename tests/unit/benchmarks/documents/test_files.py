"""What the benchmark of files takes for a lost skeleton."""

import shutil

import pytest

from benchmarks.documents.files import messages_fault, page_fault

PAGE = '<h1 id="a">A</h1><p>The <b>red</b> <i>car</i> <img src="x" alt="y"></p><!-- c -->'


@pytest.mark.parametrize(
    "after",
    [PAGE, '<h1 id="a">Ä</h1><p>Das <i>Auto</i> <img src="x" alt="z"> ist <b>rot</b></p><!-- c -->'],
)
def test_inline_elements_may_move_within_their_block(after: str) -> None:
    assert page_fault(PAGE, after) == ""


@pytest.mark.parametrize(
    "after",
    [
        PAGE.replace('id="a"', 'id="b"'),
        PAGE.replace("<b>red</b>", "red"),
        PAGE.replace("<i>car</i>", "").replace("A</h1>", "<i>car</i></h1>"),
        PAGE.replace("<!-- c -->", ""),
        PAGE.replace("<p>", "<p><p>"),
    ],
)
def test_what_is_lost_is_found(after: str) -> None:
    assert page_fault(PAGE, after) != ""


@pytest.mark.skipif(shutil.which("msgfmt") is None, reason="needs msgfmt, of GNU gettext")
def test_messages() -> None:
    before = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n#, c-format\nmsgid "%d a"\nmsgstr ""\n'
    assert messages_fault(before, before.replace('a"\nmsgstr ""', 'a"\nmsgstr "%d ä"')) == ""
    assert "format specifications" in messages_fault(before, before.replace('a"\nmsgstr ""', 'a"\nmsgstr "ä"'))
    assert messages_fault(before, before.replace("%d a", "%d b")) == "other entries"
