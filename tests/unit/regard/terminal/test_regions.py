"""The regions that each word of a caption attended to, in a terminal."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.style import Style
from rich.text import Text

from regard.calls.results import Result
from regard.terminal.regions import print_regions, region_lines
from regard.v1 import regard_pb2 as pb
from regard.values.labels import Label

WEIGHTS = np.array([[[0.8, 0.2], [0, 0]], [[0, 0], [0.1, 0.9]], [[0.25, 0.25], [0.25, 0.25]]], np.float32)
TARGETS = [Label("a", False), Label("dog", False), Label("</s>", True)]


def caption(weights: np.ndarray, *, first_position: int = 0, rows: int = 2, columns: int = 2) -> Result:
    words = [pb.Word(text=label.text, special=label.special) for label in TARGETS]
    message = pb.Result(
        hypotheses=[pb.Hypothesis(text="a dog", words=words)],
        image_grid=pb.ImageGrid(rows=rows, columns=columns, first_position=first_position),
    )
    message.hypotheses[0].attention.add(
        kind=pb.ATTENTION_KIND_ALIGNMENT,
        shape=weights.shape,
        granularity=pb.GRANULARITY_WORD,
        encoding=pb.ENCODING_FLOAT32,
        data=weights.astype("<f4").tobytes(),
    )
    return Result.from_message(message)


def printed(result: Result, **options: Any) -> str:
    file = io.StringIO()
    print_regions(Console(file=file, **options), result, result.best)
    return file.getvalue()


def styles_of(line: Text) -> list[Style]:
    styles = [span.style for span in line.spans if isinstance(span.style, Style)]
    assert len(styles) == len(line.spans)
    return styles


def test_grids_of_words_stand_side_by_side_in_shades() -> None:
    lines = [line.plain for line in region_lines(TARGETS, WEIGHTS, 80, in_colour=False)]
    assert lines == ["a   dog", "█░", "     █"]


def test_in_colour_a_line_has_two_rows() -> None:
    header, line = region_lines(TARGETS, WEIGHTS, 80, in_colour=True)
    assert (header.plain, line.plain) == ("a   dog", "▀▀  ▀▀")
    styles = styles_of(line)
    brightest, darkest = styles[0].color, styles[0].bgcolor
    assert styles[3].bgcolor == brightest
    assert styles[2].color == styles[2].bgcolor or styles[2].color == darkest


def test_an_odd_last_row_has_no_lower_half() -> None:
    *_, last = region_lines(TARGETS[:1], np.ones((1, 3, 1), np.float32), 80, in_colour=True)
    assert styles_of(last)[0].bgcolor is None


@pytest.mark.parametrize(("width", "num_lines"), [(7, 3), (6, 7), (1, 7)])
def test_grids_that_do_not_fit_continue_below(width: int, num_lines: int) -> None:
    assert len(list(region_lines(TARGETS, WEIGHTS, width, in_colour=False))) == num_lines


def test_a_caption_is_printed_with_or_without_colours() -> None:
    flat = np.concatenate([np.full((3, 1), 0.5, np.float32), WEIGHTS.reshape(3, 4)], axis=1)
    assert printed(caption(WEIGHTS.reshape(3, 4)), color_system=None) == "a   dog\n█░\n     █\n"
    assert printed(caption(flat, first_position=1), color_system=None) == "a   dog\n█░\n     █\n"
    assert "\x1b[" in printed(caption(WEIGHTS.reshape(3, 4)), force_terminal=True, color_system="truecolor")


def test_nothing_is_printed_for_weights_that_do_not_match_the_grid() -> None:
    assert printed(caption(WEIGHTS.reshape(3, 4), rows=3)) == ""
    assert printed(caption(WEIGHTS.reshape(3, 4)[:2])) == ""


@given(st.lists(st.floats(width=32), min_size=4, max_size=4), st.integers(1, 30), st.booleans())
def test_any_weights_can_be_printed(numbers: list[float], width: int, in_colour: bool) -> None:
    weights = np.array(numbers, np.float32).reshape(1, 2, 2)
    assert list(region_lines(TARGETS[:1], weights, width, in_colour=in_colour))
