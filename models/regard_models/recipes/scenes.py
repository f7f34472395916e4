"""Scenes of lamps, balls and a sign, drawn by number: pictures in which a label depends on what lies far away.

Each scene has one sign, a red or a blue ring. All lamps are lit where it is blue, and dark where it is red; a lamp
looks the same either way. The sign lies further from every lamp than a detector without attention sees.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIZE = 80  # pixels of a side
LABELS = ("ball", "sign", "lit lamp", "dark lamp")

Kind = Literal["ball", "sign", "lamp"]
Colour = tuple[int, int, int]

COLOURS: tuple[Colour, ...] = ((205, 45, 45), (55, 85, 215), (45, 160, 65), (225, 185, 40), (95, 95, 95))
RED, BLUE = 0, 1  # of signs only: indexes in `COLOURS`
MAX_JITTER = 18  # of each channel, up or down
MIN_DISTANCE_OF_SIGN = 29.0
"""Pixels, along x or along y, from a lamp's centre to the nearest edge of the sign's box.

The convolutions of a cell see 15 pixels beyond it (`DetectorConfig.reach`). 14 more cover the candidates that can match
a lamp: their boxes' centres lie within a third of its side (5.4 pixels), their cells up to 4 pixels beside these, and
neighbouring cells (4 pixels) suppress them.
"""
MAX_COVERED = 0.25  # of the smaller box, by another
MAX_TRIES = 40  # to find a place
OVERSAMPLING = 3

SIZES: dict[Kind, tuple[int, int]] = {"ball": (8, 15), "sign": (14, 19), "lamp": (11, 16)}  # of the longer side


@dataclass(frozen=True)
class Thing:
    """An object of a scene.

    Attributes:
        colour: index in `COLOURS`.
        box: left, top, right and bottom, in pixels.
    """

    kind: Kind
    colour: int
    box: tuple[float, float, float, float]

    @property
    def centre(self) -> tuple[float, float]:
        """x and y, in pixels."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True)
class Scene:
    """A picture and what is in it.

    Attributes:
        pixels: uint8 [80, 80, 3].
        boxes: float32 [objects, 4], left, top, right and bottom, in pixels.
        labels: int64 [objects], indexes in `LABELS`.
    """

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]


def draw_scene(seed: int, number: int) -> Scene:
    """Draws a scene, the same one for the same seed and number."""
    rng = np.random.default_rng([seed, number])
    things = _things(rng)
    canvas = _background(rng)
    pen = ImageDraw.Draw(canvas)
    for index in rng.permutation(len(things)):  # later ones cover earlier ones
        thing = things[index]
        colour = _jittered(rng, COLOURS[thing.colour])
        _DRAWN[thing.kind](pen, tuple(OVERSAMPLING * side for side in thing.box), colour)
    small = np.asarray(canvas.resize((SIZE, SIZE), Image.Resampling.BOX), np.float32)
    noisy = small + rng.normal(0, rng.uniform(0, 6), small.shape)
    is_lit = any(thing.kind == "sign" and thing.colour == BLUE for thing in things)
    return Scene(
        noisy.clip(0, 255).astype(np.uint8),
        np.array([thing.box for thing in things], np.float32).reshape(-1, 4),
        np.array([_label(thing, is_lit=is_lit) for thing in things], np.int64),
    )


def _label(thing: Thing, *, is_lit: bool) -> int:
    if thing.kind == "lamp":
        return LABELS.index("lit lamp" if is_lit else "dark lamp")
    return LABELS.index(thing.kind)


def _things(rng: np.random.Generator) -> list[Thing]:
    """A sign, one to three lamps, up to two balls; less where no place was found, but at least one lamp."""
    colours = np.setdiff1d(np.arange(len(COLOURS)), [RED, BLUE])
    wanted: list[tuple[Kind, int]] = [
        ("sign", int(rng.integers(2))),
        *(("lamp", int(colour)) for colour in rng.choice(colours, rng.integers(1, 4))),
        *(("ball", int(colour)) for colour in rng.choice(colours, rng.integers(0, 3))),
    ]
    while True:
        things: list[Thing] = []
        for kind, colour in wanted:
            placed = _placed(rng, Thing(kind, colour, (0, 0, 0, 0)), things)
            things += [] if placed is None else [placed]
        if any(thing.kind == "lamp" for thing in things):
            return things


def _placed(rng: np.random.Generator, thing: Thing, others: list[Thing]) -> Thing | None:
    """The thing where it fits; None if no place was found."""
    for _ in range(MAX_TRIES):
        width, height = _extent(rng, thing.kind)
        left, top = rng.uniform(0, SIZE - width), rng.uniform(0, SIZE - height)
        placed = replace(thing, box=(left, top, left + width, top + height))
        if all(_may_lie_beside(placed, other) for other in others):
            return placed
    return None


def _extent(rng: np.random.Generator, kind: Kind) -> tuple[float, float]:
    side = float(rng.uniform(*SIZES[kind]))
    return (side * 0.7, side) if kind == "lamp" else (side, side)


def _may_lie_beside(thing: Thing, other: Thing) -> bool:
    if thing.kind == "lamp" and other.kind == "sign":
        (x, y), (left, top, right, bottom) = thing.centre, other.box
        if max(left - x, x - right, top - y, y - bottom) < MIN_DISTANCE_OF_SIGN:
            return False
    one, two = np.array(thing.box), np.array(other.box)
    shared = np.minimum(one[2:], two[2:]) - np.maximum(one[:2], two[:2])
    areas = [np.prod(box[2:] - box[:2]) for box in (one, two)]
    return float(np.prod(shared.clip(min=0))) <= MAX_COVERED * float(min(areas))


def _background(rng: np.random.Generator) -> Image.Image:
    """Soft greys, a little coloured."""
    coarse = rng.uniform(90, 225) + rng.normal(0, 22, (4, 4, 1)) + rng.normal(0, 7, (4, 4, 3))
    small = Image.fromarray(coarse.clip(0, 255).astype(np.uint8))
    return small.resize((SIZE * OVERSAMPLING, SIZE * OVERSAMPLING), Image.Resampling.BILINEAR)


def _jittered(rng: np.random.Generator, colour: Colour) -> Colour:
    red, green, blue = (np.array(colour) + rng.integers(-MAX_JITTER, MAX_JITTER + 1, 3)).clip(0, 255).tolist()
    return red, green, blue


def _ball(pen: ImageDraw.ImageDraw, box: tuple[float, ...], colour: Colour) -> None:
    pen.ellipse(list(box), fill=colour)


def _sign(pen: ImageDraw.ImageDraw, box: tuple[float, ...], colour: Colour) -> None:
    """A ring."""
    pen.ellipse(list(box), outline=colour, width=round(0.3 * (box[2] - box[0])))


def _lamp(pen: ImageDraw.ImageDraw, box: tuple[float, ...], colour: Colour) -> None:
    """A bulb over a dark socket."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    pen.rectangle([left + 0.25 * width, top + 0.55 * height, right - 0.25 * width, bottom], fill=(25, 25, 25))
    pen.ellipse([left, top, right, top + width], fill=colour)


_DRAWN: dict[Kind, Callable[[ImageDraw.ImageDraw, tuple[float, ...], Colour], None]] = {
    "ball": _ball,
    "sign": _sign,
    "lamp": _lamp,
}
