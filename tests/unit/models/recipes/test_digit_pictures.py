"""Pictures of digits: their file, and pairs in which a bar that no cell sees beside a digit says which to read."""

from pathlib import Path

import numpy as np
import pytest

from regard_models.nets.gated_classifier import STRIDE, GatedClassifierConfig
from regard_models.recipes.digit_pictures import (
    BAR_HEIGHT,
    COLOURS,
    LABELS,
    SIZE,
    DigitPicture,
    Digits,
    as_it_is,
    draw_alone,
    draw_pair,
)
from tests.unit.models.recipes.digit_files import write_digits


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    return Digits.read(write_digits(tmp_path_factory.mktemp("digits")))


def bar_of(picture: DigitPicture) -> tuple[int, tuple[int, int, int]]:
    """The bar's first row, and its colour."""
    for top in (0, SIZE - BAR_HEIGHT):
        bar = picture.pixels[top : top + BAR_HEIGHT].reshape(-1, 3)
        if (bar == bar[0]).all() and tuple(bar[0].tolist()) in COLOURS:
            return top, tuple(bar[0].tolist())
    raise AssertionError("there is no bar")


def ink_of(picture: DigitPicture, box: tuple[int, int, int, int]) -> tuple[int, ...]:
    """The pixel of a box with the most colour."""
    left, top, right, bottom = box
    part = picture.pixels[top:bottom, left:right].reshape(-1, 3).astype(int)
    return tuple(part[np.ptp(part, axis=1).argmax()].tolist())


def test_a_file_is_read_as_ink_and_labels(digits: Digits) -> None:
    assert digits.pictures.shape == (40, 8, 8)
    assert digits.labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert digits.pictures[3, 3].tolist() == [255] * 8
    assert digits.pictures[3, 0].tolist() == [0, 128, *[0] * 6]
    assert digits.part(10, 12).labels.tolist() == [0, 1]


@pytest.mark.parametrize("line", ["1,2,3", ",".join(["17"] * 64 + ["1"]), ",".join(["1"] * 64 + ["12"])])
def test_a_file_of_something_else_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "digits.csv"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(ValueError, match="holds no lines of 64 values from 0 to 16 and a digit"):
        Digits.read(file)


def test_the_digit_of_the_bar_s_colour_is_to_read(digits: Digits) -> None:
    places = set()
    for number in range(30):
        picture = draw_pair(digits, 1, number)
        top, colour = bar_of(picture)
        assert picture.other_box is not None
        near, far = (
            [sum(abs(a - b) for a, b in zip(ink_of(picture, box), each, strict=True)) for each in COLOURS]
            for box in (picture.box, picture.other_box)
        )
        assert near.index(min(near)) == COLOURS.index(colour) != far.index(min(far))
        places.add((top, picture.box[0] < picture.other_box[0], colour))
    assert len(places) == 8  # the bar above and below, the digit left and right, of both colours


def test_no_cell_sees_the_bar_and_a_digit_by_convolutions(digits: Digits) -> None:
    seen = STRIDE + 2 * GatedClassifierConfig(LABELS, SIZE).reach  # pixels of a side
    for number in range(30):
        picture = draw_pair(digits, 1, number)
        top, _ = bar_of(picture)
        for box in (picture.box, picture.other_box or picture.box):
            free = box[1] - BAR_HEIGHT if top == 0 else top - box[3]
            assert free + 2 > seen // 2


def test_a_picture_is_a_function_of_its_numbers(digits: Digits) -> None:
    for draw in (draw_pair, draw_alone):
        one, again, other = draw(digits, 1, 5), draw(digits, 1, 5), draw(digits, 2, 5)
        np.testing.assert_array_equal(one.pixels, again.pixels)
        assert not np.array_equal(one.pixels, other.pixels)
        assert one.pixels.shape == (SIZE, SIZE, 3)
    assert as_it_is(digits, 4).label == 4
