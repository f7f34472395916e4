"""Scenes of locks, keys and balls, drawn by number: pictures in which a label depends on what lies far away.

A lock is open where a key of its colour is somewhere in the picture, and shut where none is. The key lies further from
the lock than a detector without attention sees: nothing in the lock's neighbourhood tells.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIZE = 64  # pixels of a side
LABELS = ("ball", "key", "open lock", "shut lock")

Kind = Literal["ball", "key", "lock"]
Colour = tuple[int, int, int]

COLOURS: tuple[Colour, ...] = ((205, 45, 45), (45, 160, 65), (55, 85, 215), (225, 185, 40))
MAX_JITTER = 18  # of each channel, up or down
MIN_DISTANCE_OF_KEY = 26.0  # pixels between the centres of a lock and of its key
MAX_COVERED = 0.25  # of the smaller box, by another
STRAY_KEYS = 0.35  # scenes of which have a key for none of their locks
MAX_TRIES = 40  # to find a place
OVERSAMPLING = 3

SIZES: dict[Kind, tuple[int, int]] = {"ball": (8, 15), "key": (13, 18), "lock": (11, 16)}  # of the longer side


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
        pixels: uint8 [64, 64, 3].
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
    keys = {thing.colour for thing in things if thing.kind == "key"}
    return Scene(
        noisy.clip(0, 255).astype(np.uint8),
        np.array([thing.box for thing in things], np.float32).reshape(-1, 4),
        np.array([_label(thing, keys) for thing in things], np.int64),
    )


def _label(thing: Thing, keys: set[int]) -> int:
    """Args: keys: the colours of the scene's keys."""
    if thing.kind == "lock":
        return LABELS.index("open lock" if thing.colour in keys else "shut lock")
    return LABELS.index(thing.kind)


def _things(rng: np.random.Generator) -> list[Thing]:
    """One to three locks, a key for half of their colours, seldom another key, up to two balls."""
    locks = rng.integers(len(COLOURS), size=rng.integers(1, 4)).tolist()
    keys = [colour for colour in sorted(set(locks)) if rng.random() < 0.5]
    strays = [colour for colour in range(len(COLOURS)) if colour not in locks]
    keys += rng.permutation(strays)[: int(rng.random() < STRAY_KEYS)].tolist()
    balls = rng.integers(len(COLOURS), size=rng.integers(0, 3)).tolist()
    wanted: list[tuple[Kind, int]] = [
        *(("lock", colour) for colour in locks),
        *(("key", colour) for colour in keys),
        *(("ball", colour) for colour in balls),
    ]
    things: list[Thing] = []
    for kind, colour in wanted:
        placed = _placed(rng, Thing(kind, colour, (0, 0, 0, 0)), things)
        things += [] if placed is None else [placed]
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
    if kind == "key":
        return (side, side * 0.45) if rng.random() < 0.5 else (side * 0.45, side)
    return (side * 0.85, side) if kind == "lock" else (side, side)


def _may_lie_beside(thing: Thing, other: Thing) -> bool:
    if thing.kind == "key" and other.kind == "lock" and thing.colour == other.colour:
        (x, y), (other_x, other_y) = thing.centre, other.centre
        if np.hypot(x - other_x, y - other_y) < MIN_DISTANCE_OF_KEY:
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


def _lock(pen: ImageDraw.ImageDraw, box: tuple[float, ...], colour: Colour) -> None:
    """A body with a keyhole under a shackle."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    middle, neck = (left + right) / 2, top + 0.45 * height
    thick = round(0.16 * width)
    arch = [left + 0.12 * width, top, right - 0.12 * width, top + 0.9 * height]
    pen.arc(arch, 180, 360, fill=colour, width=thick)
    pen.rectangle([left, neck, right, bottom], fill=colour)
    hole = 0.13 * width
    pen.ellipse(
        [middle - hole, neck + 0.15 * height, middle + hole, neck + 0.15 * height + 2 * hole], fill=(25, 25, 25)
    )


def _key(pen: ImageDraw.ImageDraw, box: tuple[float, ...], colour: Colour) -> None:
    """A ring, a shaft and two teeth, along the longer side."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    is_lying = width > height
    length, ring = max(width, height), min(width, height)

    def place(along: float, across: float) -> tuple[float, float]:
        return (left + along, top + across) if is_lying else (left + across, top + along)

    thick = max(2, round(0.28 * ring))
    pen.ellipse([place(0, 0), place(ring, ring)], outline=colour, width=thick)
    pen.line([place(ring - thick / 2, ring / 2), place(length, ring / 2)], fill=colour, width=thick)
    for along in (length - thick / 2, length - 2.2 * thick):
        pen.line([place(along, ring / 2), place(along, ring)], fill=colour, width=thick)


_DRAWN: dict[Kind, Callable[[ImageDraw.ImageDraw, tuple[float, ...], Colour], None]] = {
    "ball": _ball,
    "key": _key,
    "lock": _lock,
}
