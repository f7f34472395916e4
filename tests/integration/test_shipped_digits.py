"""The shipped reader of digits over a real port: what it reads, and gates that show which of two digits it reads."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

import regard
from regard.cli.app import main
from regard_models.recipes.digit_pictures import SIZE, DigitPicture, Digits, draw_pair
from regard_service.app.server import Server

FILE = Path(__file__).parents[1] / "data/digits/digits.csv"


@pytest.fixture(scope="module")
def digits() -> Digits:
    return Digits.read(FILE)


@pytest.fixture(scope="module")
def pairs(digits: Digits) -> list[DigitPicture]:
    return [draw_pair(digits, 3, number) for number in range(60)]


def png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_digits_are_read_as_they_are_and_beside_others(
    client: regard.Client, digits: Digits, pairs: list[DigitPicture]
) -> None:
    alone = client.classify_images([png(each) for each in digits.pictures], model="digits")
    assert np.mean([int(each.label) for each in alone] == digits.labels) >= 0.93
    beside = client.classify_images([png(each.pixels) for each in pairs], model="digits")
    right = [int(each.label) == picture.label for each, picture in zip(beside, pairs, strict=True)]
    assert np.mean(right) >= 0.9


def test_the_third_layer_s_gates_are_higher_on_the_digit_that_is_read(
    client: regard.Client, pairs: list[DigitPicture]
) -> None:
    results = client.classify_images([png(each.pixels) for each in pairs], model="digits", attention="spatial")
    on_read, on_other = [], []
    for picture, result in zip(pairs, results, strict=True):
        found, grid = result.input.find_map("spatial"), result.input.image_grid
        assert found is not None
        assert grid is not None
        assert (found.shape, found.layers, found.heads) == ((4, 144), (0, 1, 2, 3), ())
        gates = found.values[2].reshape(grid.rows, grid.columns)
        assert picture.other_box is not None
        on_read.append(gates[cells(picture.box)].mean())
        on_other.append(gates[cells(picture.other_box)].mean())
    assert np.mean(np.array(on_read) > np.array(on_other)) >= 0.95


def cells(box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """The cells of the 12 x 12 grid whose centres lie in a box."""
    centres = (np.arange(12) + 0.5) * SIZE / 12
    left, top, right, bottom = box
    is_inside: NDArray[np.bool_] = ((centres >= top) & (centres < bottom))[:, None] & (
        (centres >= left) & (centres < right)
    )
    return is_inside


def test_the_first_layer_s_gates_of_channels_follow_the_bar_s_colour(
    client: regard.Client, digits: Digits, pairs: list[DigitPicture]
) -> None:
    results = client.classify_images([png(each.pixels) for each in pairs], model="digits", attention="channel")
    is_red = np.array([max(each.pixels[[0, -1], 0, 0]) > 200 for each in pairs])
    gates = np.stack([found.values[0] for each in results if (found := each.input.find_map("channel"))])
    assert gates.shape == (60, 32)
    assert np.abs(gates[is_red].mean(axis=0) - gates[~is_red].mean(axis=0)).max() > 0.5


def test_maps_take_layers_encodings_and_top_k(client: regard.Client, pairs: list[DigitPicture]) -> None:
    picture = png(pairs[0].pixels)
    whole = client.classify_images(picture, model="digits", attention=["channel", "spatial"]).input
    few = client.classify_images(
        picture, model="digits", attention=["spatial", "channel"], layers=[2, 0], encoding="uint8", attention_top_k=5
    ).input
    assert [each.kind for each in few.attention] == ["spatial", "channel"]
    for found in few.attention:
        expected = whole.find_map(found.kind)
        assert expected is not None
        assert found.layers == (2, 0)
        for row, full in zip(found.values, expected.values[[2, 0]], strict=True):
            assert np.count_nonzero(row) == 5
            np.testing.assert_allclose(np.sort(row)[-5:], np.sort(full)[-5:], atol=1 / 255)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"attention": ["rollout"]}, "rollout is not offered by model 'digits'; it offers channel, spatial"),
        ({"attention": ["channel"], "heads": [0]}, r"heads\[0\]: is 0; model 'digits' has 0 heads"),
        ({"attention": ["spatial"], "weighting": "value_norm"}, "model 'digits' carries no value norms"),
        ({"explain": ["rollout"]}, "rollout is not offered by model 'digits'"),
    ],
)
def test_what_gates_do_not_have_is_said(
    client: regard.Client, pairs: list[DigitPicture], options: Any, words: str
) -> None:
    with pytest.raises(regard.InvalidArgument, match=words):
        client.classify_images(png(pairs[0].pixels), model="digits", **options)


def test_the_command_line_prints_the_gates(shipped_server: Server, pairs: list[DigitPicture], tmp_path: Path) -> None:
    file = tmp_path / "digit.png"
    file.write_bytes(png(pairs[0].pixels))
    server = f"127.0.0.1:{shipped_server.grpc_port}"
    arguments = ["classify", str(file), "--model", "digits", "--server", server, "--kind", "spatial", "--json"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert '"kind": "ATTENTION_KIND_SPATIAL"' in done.output
