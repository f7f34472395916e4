"""Plots of a result, or of its saved JSON: the map, its layer and head, the style, the file."""

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from regard.calls.results import Result
from regard.errors import MissingExtra
from regard.plots import Style
from regard.v1 import regard_pb2 as pb
from tests.unit.regard.plots.rendered import labels
from tests.unit.regard.sample_results import caption_result, text_result

GRID = pb.ImageGrid(rows=2, columns=2, image_width=40, image_height=40, box=pb.Box(left=0, top=0, right=40, bottom=40))


@pytest.fixture
def result() -> Result:
    return Result.from_json(text_result(["the", "cat"], ["die", "Katze"], num_hypotheses=2).to_json())


def cells(figure: object) -> np.ndarray:
    return np.asarray(figure.axes[0].collections[0].get_array())  # type: ignore[attr-defined]


def test_the_alignment_is_drawn_by_default(result: Result) -> None:
    assert result.alignment is not None
    figure = result.plot(title="a title")
    np.testing.assert_array_equal(cells(figure), result.alignment.values)
    assert [label.get_text() for label in labels(figure.axes[0], "source")] == ["the", "cat", "</s>"]


def test_layers_and_heads_are_averaged_unless_one_is_chosen(result: Result) -> None:
    cross = result.hypotheses[1].find_map("cross")
    assert cross is not None
    chosen = result.plot(kind="cross", layer=1, head=2, hypothesis=1)
    np.testing.assert_array_equal(cells(chosen), cross.values[1, 2])
    np.testing.assert_allclose(cells(result.plot(kind="cross", hypothesis=1)), cross.values.mean((0, 1)), atol=1e-6)


@pytest.mark.parametrize("kind", ["cross", "alignment", "rollout", "decoder_self", "encoder_self"])
def test_every_kind_can_be_drawn(result: Result, kind: str) -> None:
    assert result.plot("heatmap", kind=kind).axes  # type: ignore[arg-type]
    assert result.plot("flow", kind=kind).axes  # type: ignore[arg-type]


def test_all_heads_at_a_glance(result: Result) -> None:
    figure = result.plot("heads", kind="cross", theme="dark")
    cross = result.best.find_map("cross")
    assert cross is not None
    assert len(figure.axes) == 6
    np.testing.assert_array_equal(figure.axes[4].images[0].get_array(), cross.values[1, 1])


def test_a_missing_map_layer_head_or_picture_is_named(result: Result) -> None:
    with pytest.raises(ValueError, match="no layer 9; there are 0, 1"):
        result.plot(kind="cross", layer=9)
    with pytest.raises(ValueError, match="no hypothesis 2"):
        result.plot(hypothesis=2)
    with pytest.raises(ValueError, match="no heads"):
        result.plot("heads", kind="alignment")
    with pytest.raises(ValueError, match="no layers and heads"):
        result.plot(kind="alignment", layer=1)
    bare = Result.from_message(pb.Result(hypotheses=[pb.Hypothesis(text="x")]))
    with pytest.raises(ValueError, match="no map to draw; it has no map; the call has to set attention=True"):
        bare.plot()
    with pytest.raises(ValueError, match="there is no style 'cross', but a kind of map: plot\\(kind='cross'\\)"):
        result.plot("cross")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="ax must be axes of a matplotlib figure; it is of type int"):
        result.plot(ax=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the picture that was captioned"):
        caption_result(["a"], GRID).plot()


def test_the_files_ending_chooses_its_format(result: Result, tmp_path: Path) -> None:
    for ending, start in (
        ("png", b"\x89PNG"),
        ("svg", b"<?xml"),
        ("pdf", b"%PDF"),
        ("gif", b"GIF8"),
        ("webp", b"RIFF"),
    ):
        path = tmp_path / f"map.{ending}"
        result.save_plot(path, theme="dark")
        assert path.read_bytes().startswith(start)


def test_a_caption_is_drawn_over_its_picture_without_its_end_token(tmp_path: Path) -> None:
    caption = caption_result(["a", "cat"], GRID)
    picture = Image.new("RGB", (40, 40), "white")
    assert len(caption.plot(picture=picture).axes) == 2
    assert labels(caption.plot("heatmap", picture=picture).axes[0], "source")[3].get_text() == "r2 c2"
    caption.save_plot(tmp_path / "caption.webp", picture=picture)
    with Image.open(tmp_path / "caption.webp") as animation:
        assert getattr(animation, "n_frames", 1) == 2


def test_without_matplotlib_the_error_names_the_extra(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("regard.plots")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"pip install 'regard\[plot\]'"):
        result.plot()


def test_the_plot_of_a_long_text_has_a_bounded_number_of_pixels(tmp_path: Path) -> None:
    words = [f"w{number}" for number in range(300)]
    text_result(words, words).save_plot(tmp_path / "long.png")
    with Image.open(tmp_path / "long.png") as drawn:
        assert drawn.width * drawn.height <= 2**25


def test_a_notebook_shows_a_plot_by_itself(result: Result) -> None:
    shown = result.plot()._repr_png_()  # type: ignore[attr-defined]
    assert shown.startswith(b"\x89PNG")


@pytest.mark.parametrize("style", ["heatmap", "flow"])
def test_a_plot_is_drawn_into_given_axes(result: Result, style: Style) -> None:
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert result.plot(style, ax=left) is figure
    assert (len(left.images), len(right.images)) == (1, 0)


def test_heads_are_those_of_a_map_that_has_some(result: Result) -> None:
    """The result has an alignment too, which is an average and would be drawn first."""
    assert {each.kind for each in result.best.attention} >= {"alignment", "cross"}
    cross = result.find_map("cross")
    assert cross is not None
    assert len(result.plot("heads").axes) >= cross.shape[0] * cross.shape[1]


def test_unknown_names_are_refused_with_the_one_that_was_meant(result: Result) -> None:
    with pytest.raises(TypeError, match=r"there is no option 'them'; did you mean 'theme'\?"):
        result.plot(them="dark")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"there is no style 'heatmaps'; did you mean 'heatmap'\?"):
        result.plot("heatmaps")  # type: ignore[arg-type]


def test_a_caption_is_drawn_over_the_picture_that_the_call_sent() -> None:
    grid = pb.ImageGrid(rows=2, columns=2, image_width=4, image_height=4, box=pb.Box(right=4, bottom=4))
    file = BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    without = caption_result(["a", "dog"], grid)
    result = Result.from_message(without.message, file.getvalue())
    assert len(result.plot().axes) == 2
    assert "data:image/png" in result._repr_html_()
    with pytest.raises(ValueError, match="needs the picture"):
        without.plot()
