"""Blocks of running text: what is layout and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.domain.results import Span
from regard_service.passages.blocks import blocks, has_layout

# Pieces that layouts are made of.
PIECES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\x0b", "\x85", "\u2028", "\u00a0", "- ", "* ", "1. ", "> ", "# "]
WORDS = ["a", "The", "house.", "is", "Ω", "京都。", "A long line of text that reaches over forty characters", "b)"]
layouts = st.lists(st.sampled_from([*PIECES, *WORDS]), max_size=30).map("".join)


def texts(text: str) -> list[str]:
    return [text[slice(*block.span)] for block in blocks(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" \n\t\r\n", []),
        (" One line. ", ["One line."]),
        (
            "Good morning.\nThe train is late.\n\nWe will wait.",
            ["Good morning.", "The train is late.", "We will wait."],
        ),
        ("First line\r\nsecond line\r\n", ["First line", "second line"]),
        ("- milk\n- bread\n* two eggs\n\u2022 tea", ["milk", "bread", "two eggs", "tea"]),
        ("1. One\n2) Two\n(3) Three\na) Four", ["One", "Two", "Three", "Four"]),
        ("- [ ] buy milk\n- [x] sell it", ["buy milk", "sell it"]),
        ("# Title\n\n## Part", ["Title", "Part"]),
        ("> quoted\n> > twice", ["quoted", "twice"]),
        ("name\tvalue\nA      B", ["name", "value", "A", "B"]),
        ("a\x85b\u2028c\x0bd", ["a", "b", "c", "d"]),
        ("1. FC Union won.", ["1. FC Union won."]),
        ("- \n-\n--", ["-", "-", "--"]),
        ("5 - 3 = 2", ["5 - 3 = 2"]),
        ("$ ls -l | wc\ta", ["$ ls -l | wc\ta"]),
        ("|Name|Age|\n|:--|---|\n| Tom | 5 |", ["Name", "Age", ":--", "---", "Tom", "5"]),
        ("Home | About us | Contact", ["Home", "About us", "Contact"]),
        ("Use a || b, {{ x | y }} or `ls | wc`.", ["Use a || b, {{ x | y }} or `ls | wc`."]),
        ("Yes / No / Cancel", ["Yes", "No", "Cancel"]),
        ("Tools > All Options > View", ["Tools", "All Options", "View"]),
        ("Say yes / no / cancel to whoever asks you.", ["Say yes / no / cancel to whoever asks you."]),
    ],
)
def test_layout_is_in_no_block(text: str, found: list[str]) -> None:
    assert texts(text) == found


WRAPPED = """My sister lives in a small house with a big garden and she
has two dogs and a cat. The bus is often late. Her husband
works at night.
"""


def test_hard_wrapped_lines_are_one_block() -> None:
    [block] = blocks(WRAPPED)
    assert [WRAPPED[slice(*each)] for each in block.breaks] == ["\n", "\n"]


def test_breaks_of_quoted_lines_hold_the_marks_of_quotation() -> None:
    quoted = "".join(f"> {line}\r\n" for line in WRAPPED.splitlines())
    [block] = blocks(quoted)
    assert [quoted[slice(*each)] for each in block.breaks] == ["\r\n> ", "\r\n> "]


@pytest.mark.parametrize(
    "text",
    [
        "Roses are red\nviolets are blue\nsugar is sweet\nand so are you",
        "12 Long Street, the old house behind the church of the village\nBerlin\nGermany",
        "A line of text that a person ended at this very place, as one may.\n- a list begins here",
        "Short.\nA line of text that a person ended at this very place, as one may.",
    ],
)
def test_lines_of_a_person_are_blocks_of_their_own(text: str) -> None:
    assert len(blocks(text)) == len(text.splitlines())


@given(layouts)
def test_blocks_are_in_order_and_outside_of_them_nothing_is_to_be_read(text: str) -> None:
    end = 0
    for block in blocks(text):
        start = block.span.start
        assert end <= start < block.span.end
        assert text[slice(*block.span)].strip() == text[slice(*block.span)]
        places = [start, *(position for each in block.breaks for position in each), block.span.end]
        assert places == sorted(places), "breaks are in order and within their block"
        assert not any(word in text[end:start] for word in WORDS if len(word) > 2)
        end = block.span.end
    assert not any(word in text[end:] for word in WORDS if len(word) > 2)


@given(layouts)
def test_the_fast_way_never_misses_layout(text: str) -> None:
    if not has_layout(text):
        content = text.strip()
        start = text.find(content)
        assert [block.span for block in blocks(text)] == ([Span(start, start + len(content))] if content else [])
        assert "\n" not in content


def test_blocks_of_code_are_layout() -> None:
    code = "```python\nprint('hello')\n\n~~~\nreturn 5\n```"
    text = f"Look at this:\n{code}\nIt works.\n~~~~\nx = 1\n~~~\n~~~~~\n"
    assert [text[slice(*block.span)] for block in blocks(text)] == ["Look at this:", "It works."]
    assert blocks(code) == []


def test_a_fence_that_nothing_closes_is_text() -> None:
    text = "```\nHello there.\n"
    assert "Hello there." in [text[slice(*block.span)] for block in blocks(text)]
    inline = "Use ```x``` here.\n```y``` there."
    assert [text for text in (inline[slice(*block.span)] for block in blocks(inline)) if "here" in text]
