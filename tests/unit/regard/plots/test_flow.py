"""The flow: a line for each weight, between the right words."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from regard.plots import plot_attention_flow
from tests.unit.regard.plots.rendered import Rendered
from tests.unit.regard.sample_results import rows


def curves(figure: Figure) -> list[PathPatch]:
    return [patch for patch in figure.axes[0].patches if isinstance(patch, PathPatch)]


def ends_of(curve: PathPatch) -> tuple[float, float]:
    """Where it begins and ends across the figure."""
    vertices = np.asarray(curve.get_path().vertices)
    return vertices[0][0], vertices[-1][0]


def words(figure: Figure) -> dict[str, tuple[float, float]]:
    return {text.get_text(): text.get_position() for text in figure.axes[0].texts}


def test_each_weight_from_the_threshold_on_has_a_line_between_its_words() -> None:
    weights = np.array([[0.75, 0.2, 0.05], [0.0, 0.1, 0.9]])
    figure = plot_attention_flow(weights, ["a", "b", "c"], ["x", "y"], threshold=0.2)
    where = words(figure)
    ends = {ends_of(curve): curve.get_linewidth() for curve in curves(figure)}
    assert set(ends) == {(where[s][0], where[t][0]) for s, t in (("a", "x"), ("b", "x"), ("c", "y"))}
    assert where["a"][1] > where["x"][1]
    thickness = [ends[where[s][0], where[t][0]] for s, t in (("c", "y"), ("a", "x"), ("b", "x"))]
    assert thickness == sorted(thickness, reverse=True)


def test_right_to_left_words_are_set_right_to_left() -> None:
    where = words(plot_attention_flow(np.eye(3), ["the", "cat", "sat"], ["שלום", "לך", "חתול"]))
    assert where["the"][0] < where["cat"][0] < where["sat"][0]
    assert where["שלום"][0] > where["לך"][0] > where["חתול"][0]


def test_a_wide_source_shows_the_words_that_lines_reach() -> None:
    tokens = [f"word{i}" for i in range(80)]
    figure = plot_attention_flow(np.eye(80), tokens, [token.upper() for token in tokens])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert set(tokens) <= set(texts)
    assert texts.count("…") >= 2
    assert len(curves(figure)) == 80
    assert figure.get_figwidth() <= 11.01
    Rendered(figure)


def test_every_script_is_drawn_without_a_warning() -> None:
    Rendered(plot_attention_flow(rows(2, 3), ["文字", "😀", "नमस्ते"], ["שלום", "ไทย"], theme="dark", title="字"))


def test_weights_that_do_not_match_their_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[1, 2\]"):
        plot_attention_flow([[1.0]], ["a", "b"], ["c"])
