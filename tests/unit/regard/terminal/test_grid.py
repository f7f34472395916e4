"""The alignment in a terminal: column widths, parts of a wide grid, hostile text."""

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from regard.calls.results import Result
from regard.terminal.grid import grid_lines, print_alignment
from regard.v1 import regard_pb2 as pb
from regard.values.labels import Label
from tests.integration.fake_regard import result_of

LABELS = st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=30)


def labels(*texts: str) -> list[Label]:
    return [Label(text, special=text == "</s>") for text in texts]


def draw(sources: list[str], targets: list[str], weights: object, width: int = 80) -> list[str]:
    lines = grid_lines(labels(*sources), labels(*targets), np.array(weights, np.float32), width)
    return [line.plain for line in lines]


def test_sources_are_columns_and_targets_rows_in_percent() -> None:
    assert draw(["the", "library", "</s>"], ["die", "Bibliothek"], [[0.9, 0.1, 0.001], [0, 1, 0]]) == [
        "           the library </s>",
        "       die  90      10    ·",
        "Bibliothek   ·     100    ·",
    ]


def test_special_rows_are_left_out() -> None:
    assert len(draw(["a"], ["b", "</s>"], [[1], [1]])) == 2


def test_a_wide_sentence_continues_in_grids_below() -> None:
    lines = draw(["aaaa"] * 6, ["row"], [[0.1, 0.2, 0.3, 0.1, 0.2, 0.1]], width=20)
    assert lines == [
        "    aaaa aaaa aaaa",
        "row   10   20   30",
        "",
        "    aaaa aaaa aaaa",
        "row   10   20   10",
    ]


def test_a_grid_has_at_least_one_column() -> None:
    assert draw(["a", "b"], ["row"], [[0.5, 0.5]], width=1) == ["      a", "row  50", "", "      b", "row  50"]


def test_wide_and_combining_characters_keep_the_columns_straight() -> None:
    lines = draw(["図書館", "cafe\u0301", "👩‍🚀"], ["何処", "é"], [[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    assert len({cell_len(line) for line in lines}) == 1


@given(LABELS, LABELS, st.integers(1, 200))
def test_any_labels_are_printed_at_any_width(sources: list[str], targets: list[str], width: int) -> None:
    message = pb.Result(
        source_words=[pb.Word(text=text) for text in sources],
        hypotheses=[pb.Hypothesis(text="x", words=[pb.Word(text=text) for text in targets])],
    )
    message.hypotheses[0].attention.add(
        kind=pb.ATTENTION_KIND_ALIGNMENT,
        shape=[len(targets), len(sources)],
        granularity=pb.GRANULARITY_WORD,
        encoding=pb.ENCODING_FLOAT32,
        data=np.full((len(targets), len(sources)), 1 / len(sources), "<f4").tobytes(),
    )
    result = Result.from_message(message)
    file = io.StringIO()
    print_alignment(Console(file=file, width=width, color_system=None), result, result.best)
    assert len(file.getvalue().splitlines()) >= 1 + len(targets)


def test_a_hostile_word_cannot_leave_its_cell() -> None:
    request = pb.TranslateRequest(
        attention=pb.AttentionConfig(kinds=[pb.ATTENTION_KIND_ALIGNMENT], granularity=pb.GRANULARITY_WORD)
    )
    result = Result.from_message(result_of("a \x1b[2J" + "w" * 99, request))
    file = io.StringIO()
    print_alignment(Console(file=file, width=80, force_terminal=True), result, result.best)
    assert "\x1b[2J" not in file.getvalue()
    assert "…" in file.getvalue()


def test_nothing_is_printed_without_an_alignment_that_matches_its_tokens() -> None:
    request = pb.TranslateRequest(attention=pb.AttentionConfig(kinds=[pb.ATTENTION_KIND_ALIGNMENT]))
    without = result_of("a b", pb.TranslateRequest())
    mismatched = result_of("a b", request)
    del mismatched.source_tokens[0]
    for message in (without, mismatched):
        result = Result.from_message(message)
        file = io.StringIO()
        print_alignment(Console(file=file), result, result.best)
        assert file.getvalue() == ""
