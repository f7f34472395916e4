"""Pictures of handwritten digits, drawn by number from those of scikit-learn: one digit alone, or two with a bar whose
colour says which of them to read.

The digits are the test set of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998; UCI, CC BY 4.0):
1,797 pictures of 8 x 8 values from 0 to 16. The distribution `scikit-learn` on PyPI holds them as a file.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = 48  # pixels of a side
LABELS = tuple(str(digit) for digit in range(10))
SOURCE_SIDE, DARKEST = 8, 16  # of the digits as they are stored
NUM_TRAINING = 1200
"""The first digits are for training, the others for the test. The file holds one writer after the other."""

COLOURS = ((225, 70, 60), (70, 120, 235))
BAR_HEIGHT = 4
SIDES = (16, 20)  # of a digit beside another, in pixels
MAX_MARGIN = 3  # pixels between the digits and the edge
MAX_TURN = 12.0  # degrees
MAX_NOISE = 10.0  # standard deviation of the noise of a picture
HALF = SIZE // 2


@dataclass(frozen=True)
class Digits:
    """Digits and what they are.

    Attributes:
        pictures: uint8 [digits, 8, 8]; 255 is ink.
        labels: int64 [digits].
    """

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Reads `digits.csv.gz` of scikit-learn: 64 values and a label a line.

        Raises:
            ValueError: the file holds something else.
        """
        rows = np.loadtxt(file, delimiter=",", dtype=np.int64, ndmin=2)
        if (
            rows.shape[1] != SOURCE_SIDE**2 + 1
            or rows.min() < 0
            or rows[:, :-1].max() > DARKEST
            or rows[:, -1].max() > 9
        ):
            raise ValueError(f"{file} holds no lines of 64 values from 0 to 16 and a digit")
        ink = np.rint(rows[:, :-1] * (255 / DARKEST)).astype(np.uint8)
        return cls(ink.reshape(-1, SOURCE_SIDE, SOURCE_SIDE), rows[:, -1])

    def part(self, first: int, last: int | None) -> "Digits":
        """Those from `first` on, before `last`."""
        return Digits(self.pictures[first:last], self.labels[first:last])


@dataclass(frozen=True)
class DigitPicture:
    """A picture and the digit to read.

    Attributes:
        pixels: uint8 [height, width, 3].
        label: the digit.
        box: left, top, right and bottom of the digit to read, in pixels.
        other_box: those of the digit beside it; None if there is none.
    """

    pixels: NDArray[np.uint8]
    label: int
    box: tuple[int, int, int, int]
    other_box: tuple[int, int, int, int] | None = None


def as_it_is(digits: Digits, index: int) -> DigitPicture:
    """A digit alone, white on black, over the whole picture: what a server makes of its 8 x 8 pixels."""
    ink = _resized(digits.pictures[index], SIZE)
    return DigitPicture(np.repeat(ink[:, :, None], 3, axis=2), int(digits.labels[index]), (0, 0, SIZE, SIZE))


def draw_alone(digits: Digits, seed: int, number: int) -> DigitPicture:
    """A digit alone, turned and moved a little, in a random size."""
    random = np.random.default_rng((seed, number))
    index = int(random.integers(len(digits.labels)))
    side = int(random.integers(SIZE * 3 // 4, SIZE + 1))
    left, top = (int(random.integers(SIZE - side + 1)) for _ in range(2))
    ink = np.zeros((SIZE, SIZE), np.uint8)
    ink[top : top + side, left : left + side] = _resized(digits.pictures[index], side, _turn(random))
    return DigitPicture(
        np.repeat(ink[:, :, None], 3, axis=2), int(digits.labels[index]), (left, top, left + side, top + side)
    )


def draw_pair(digits: Digits, seed: int, number: int) -> DigitPicture:
    """A red and a blue digit side by side, and a bar along the edge far from both: the digit of its colour is to read.

    A cell of `GatedClassifierConfig.reach` sees the bar or a digit, not both.
    """
    random = np.random.default_rng((seed, number))
    canvas = random.normal(25, random.uniform(0, MAX_NOISE), (SIZE, SIZE, 3)).clip(0, 255)
    first, wanted, is_bar_above = (int(each) for each in random.integers(2, size=3))
    canvas[slice(BAR_HEIGHT) if is_bar_above else slice(-BAR_HEIGHT, None)] = COLOURS[wanted]
    boxes, labels = [], []
    for place in range(2):
        index, side = int(random.integers(len(digits.labels))), int(random.integers(SIDES[0], SIDES[1] + 1))
        left, margin = place * HALF + int(random.integers(HALF - side + 1)), int(random.integers(MAX_MARGIN + 1))
        top = SIZE - side - margin if is_bar_above else margin
        share = _resized(digits.pictures[index], side, _turn(random))[:, :, None] / 255.0
        part = canvas[top : top + side, left : left + side]
        part[...] = part * (1 - share) + np.array(COLOURS[first ^ place]) * share
        boxes.append((left, top, left + side, top + side))
        labels.append(int(digits.labels[index]))
    place = first ^ wanted
    return DigitPicture(canvas.astype(np.uint8), labels[place], boxes[place], boxes[1 - place])


def _turn(random: np.random.Generator) -> float:
    return float(random.uniform(-MAX_TURN, MAX_TURN))


def _resized(ink: NDArray[np.uint8], side: int, degrees: float = 0.0) -> NDArray[np.uint8]:
    picture = Image.fromarray(ink).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(picture.rotate(degrees, Image.Resampling.BILINEAR) if degrees else picture)
