"""Pictures that a captioner does not know, corrupted or of other kinds: they teach what doubtful captions look like."""

import random
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

SIDE = 224  # pixels, of made pictures
_TILES = 4
_WORDS = ("total", "amount", "date", "page", "name", "order", "item", "street", "from", "and", "value", "12", "3.50")

PictureCorruption = Callable[[random.Random, Image.Image], Image.Image]
"""Makes a picture of a clean one, or of none of it."""


def shuffle_tiles(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Changes the order of tiles."""
    side = SIDE // _TILES
    whole = picture.resize((SIDE, SIDE))
    corners = [(x * side, y * side) for x in range(_TILES) for y in range(_TILES)]
    made, drawn = Image.new("RGB", (SIDE, SIDE)), rng.sample(corners, len(corners))
    for (x, y), corner in zip(corners, drawn, strict=True):
        made.paste(whole.crop((x, y, x + side, y + side)), corner)
    return made


def blur(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Leaves no detail."""
    return picture.resize((SIDE, SIDE)).filter(ImageFilter.GaussianBlur(rng.uniform(6, 16)))


def magnify(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Shows a small part of it alone, as a photograph of a thing from near."""
    share = rng.uniform(0.12, 0.25)
    width, height = (max(8, round(side * share)) for side in picture.size)
    x, y = rng.randrange(max(1, picture.width - width)), rng.randrange(max(1, picture.height - height))
    return picture.crop((x, y, x + width, y + height)).resize((SIDE, SIDE))


def turn_over(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Turns it upside down, in the colours of a negative."""
    return ImageOps.invert(picture.rotate(180))


def printed_page(rng: random.Random, picture: Image.Image) -> Image.Image:
    """A page of text."""
    made = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(made)
    for y in range(rng.randrange(4, 20), SIDE, rng.randrange(11, 22)):
        draw.text((rng.randrange(4, 24), y), " ".join(rng.choices(_WORDS, k=rng.randrange(2, 9))), fill="black")
    return made


def drawing(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Bars or discs of plain colours, as charts, logos and slides have them."""
    made = Image.new("RGB", (SIDE, SIDE), _colour(rng))
    draw = ImageDraw.Draw(made)
    for _ in range(rng.randrange(2, 9)):
        x, y, width, height = (rng.randrange(8, SIDE // 2) for _ in range(4))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + width, y + height), fill=_colour(rng))
    return made


def static(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Random pixels."""
    return Image.fromarray(np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (SIDE, SIDE, 3), np.uint8))


PICTURE_CORRUPTIONS: Mapping[str, PictureCorruption] = {
    "shuffled tiles": shuffle_tiles,
    "blurred": blur,
    "magnified": magnify,
    "turned over": turn_over,
    "printed page": printed_page,
    "drawing": drawing,
    "noise": static,
}


def corrupted_pictures(kind: str, files: Sequence[bytes], seed: int = 0) -> list[bytes]:
    """Returns the PNG of a corrupted picture for each file. Repeatable."""
    rng, corrupt = random.Random(f"{kind} {seed}"), PICTURE_CORRUPTIONS[kind]
    return [_png(corrupt(rng, Image.open(BytesIO(file)).convert("RGB"))) for file in files]


def _png(picture: Image.Image) -> bytes:
    stream = BytesIO()
    picture.save(stream, format="PNG")
    return stream.getvalue()


def _colour(rng: random.Random) -> tuple[int, int, int]:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)
