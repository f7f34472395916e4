"""The heatmap: colours of cells, labels, panels of a large map."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regard.plots import DARK, LIGHT, Theme, plot_attention_weights
from regard.values.labels import Label
from tests.unit.regard.plots.rendered import Rendered, labels
from tests.unit.regard.sample_results import rows

SCRIPTS = ["the", "שלום", "مرحبا", "文字", "日本語", "한국어", "ไทย", "नमस्ते", "😀", "👩‍👩‍👧", "$x^2$", "<b>", ""]


def maps_of(figure: Figure) -> list[Axes]:
    """The axes with cells: all but the scale."""
    return figure.axes[:-1]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_each_cell_has_its_weights_colour(theme: Theme) -> None:
    weights = rows(15, 17)  # too many for numbers in the cells
    figure = plot_attention_weights(weights, ["s"] * 17, ["t"] * 15, theme=theme)
    drawn, axes = Rendered(figure), figure.axes[0]
    for (row, column), weight in np.ndenumerate(weights):
        expected = theme.colormap(weight / weights.max())[:3]
        np.testing.assert_allclose(drawn.at(axes, column + 0.5, row + 0.5), expected, atol=0.01)
    np.testing.assert_allclose(drawn.pixels[2, 2] * 255, [int(theme.paper[i : i + 2], 16) for i in (1, 3, 5)], atol=1)


def test_the_first_row_is_above_and_the_first_column_at_the_left() -> None:
    figure = plot_attention_weights(np.eye(2), ["a", "b"], ["c", "d"])
    axes = figure.axes[0]
    assert [label.get_text() for label in labels(axes, "source")] == ["a", "b"]
    assert [label.get_text() for label in labels(axes, "target")] == ["c", "d"]
    left, top = axes.transData.transform((0, 0))
    right, bottom = axes.transData.transform((2, 2))
    assert left < right
    assert top > bottom


def test_a_weight_may_be_drawn_on_a_given_scale() -> None:
    figure = plot_attention_weights(np.full((15, 15), 0.5), ["s"] * 15, ["t"] * 15, largest=1.0)
    np.testing.assert_allclose(Rendered(figure).at(figure.axes[0], 7.5, 7.5), LIGHT.colormap(0.5)[:3], atol=0.01)


def test_every_script_is_drawn_without_a_warning(tmp_path: Path) -> None:
    figure = plot_attention_weights(rows(len(SCRIPTS), len(SCRIPTS)), SCRIPTS, SCRIPTS, title="文字 and $ signs")
    for name in ("heatmap.png", "heatmap.svg"):
        figure.savefig(tmp_path / name)
        assert (tmp_path / name).stat().st_size


def test_eighty_tokens_are_split_into_panels_with_every_cell() -> None:
    weights = rows(80, 70)
    tokens = [f"word{i}" for i in range(80)]
    figure = plot_attention_weights(weights, tokens[:70], tokens)
    panels = maps_of(figure)
    assert len(panels) == 4
    drawn = np.block([[panels[0].collections[0].get_array(), panels[1].collections[0].get_array()],
                      [panels[2].collections[0].get_array(), panels[3].collections[0].get_array()]])  # fmt: skip
    np.testing.assert_allclose(drawn, weights, atol=1e-6)
    assert [t.get_text() for panel in panels[:2] for t in labels(panel, "source")] == tokens[:70]


def test_a_long_source_of_a_short_target_continues_below() -> None:
    tokens = [f"word{i}" for i in range(90)]
    figure = plot_attention_weights(rows(5, 90), tokens, tokens[:5])
    first, second, third = (axes.get_position() for axes in maps_of(figure))
    assert first.x0 == second.x0 == third.x0
    assert first.y0 > second.y1 > second.y0 > third.y1
    assert figure.get_figwidth() < 11


@pytest.mark.parametrize("length", [1, 5, 40, 80])
def test_labels_do_not_overlap_and_stay_on_the_sheet(length: int) -> None:
    tokens = [("extraordinarily", "a", "middle")[i % 3] for i in range(length)]
    figure = plot_attention_weights(rows(length, length), tokens, tokens)
    drawn = Rendered(figure)
    height, width = drawn.pixels.shape[:2]
    for axes in maps_of(figure):
        boxes = [label.get_window_extent() for label in labels(axes, "target")]
        assert all(upper.y0 >= lower.y1 - 1 for upper, lower in itertools.pairwise(boxes))
        headings = [label.get_window_extent() for label in labels(axes, "source")]
        assert all(box.x0 >= 0 and box.x1 <= width and box.y1 <= height for box in [*boxes, *headings])


def test_special_tokens_have_the_quiet_colour() -> None:
    figure = plot_attention_weights([[1.0]], [Label("</s>", special=True)], ["x"])
    axes = figure.axes[0]
    assert labels(axes, "source")[0].get_color() == LIGHT.quiet
    assert labels(axes, "target")[0].get_color() == LIGHT.ink


@pytest.mark.parametrize(
    ("weights", "sources", "targets"),
    [([[1.0]], ["a", "b"], ["c"]), ([[np.nan]], ["a"], ["c"]), (np.zeros((0, 1)), ["a"], []), ([1.0], ["a"], ["c"])],
)
def test_weights_that_do_not_match_their_tokens_are_refused(
    weights: object, sources: list[str], targets: list[str]
) -> None:
    with pytest.raises(ValueError, match=r"weights|nothing"):
        plot_attention_weights(weights, sources, targets)  # type: ignore[arg-type]


def test_what_is_drawn_grows_with_the_labels_and_not_with_the_cells() -> None:
    """Four times the cells, twice the labels. How long a figure takes is the benchmark's to say (benchmarks/html)."""
    num_artists = {}
    for size in (20, 40):
        tokens = [f"word{i}" for i in range(size)]
        num_artists[size] = len(plot_attention_weights(rows(size, size), tokens, tokens).findobj())
    assert num_artists[40] <= 2 * num_artists[20]


def test_panels_between_the_segments_of_a_text_are_left_out() -> None:
    """A text of 450 lines had 8,100 panels, nearly all without a weight, and took minutes to draw."""
    weights = np.kron(np.eye(5), np.full((4, 4), 0.25))
    words = [str(number) for number in range(20)]
    figure = plot_attention_weights(weights, words, words, window=4)
    drawn = [[label.get_text() for label in labels(axes, "source")] for axes in maps_of(figure)]
    assert drawn == [words[i : i + 4] for i in range(0, 20, 4)]
    assert [[label.get_text() for label in labels(axes, "target")] for axes in maps_of(figure)] == drawn
    assert figure.get_size_inches()[0] < figure.get_size_inches()[1] / 2
    lone = plot_attention_weights(np.array([[0, 0, 0, 0, 0.5, 0.5]]), words[:6], ["x"], window=2)
    assert [[label.get_text() for label in labels(axes, "source")] for axes in maps_of(lone)] == [["4", "5"]]
