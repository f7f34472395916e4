"""Generated pictures for verification, since the project ships too few photographs."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PICTURE_SIZES = ((224, 224), (640, 480), (480, 640), (97, 31), (31, 97), (1, 1), (900, 300), (333, 333))


def example_pictures() -> list[str | bytes]:
    """Files of many sizes, in colour and grey: soft shapes, since no encoder was trained on noise."""
    rng = np.random.default_rng(0)
    return [_file(_shapes(rng, *size, is_grey=index % 4 == 3)) for index, size in enumerate(PICTURE_SIZES)]


def exact_picture(height: int, width: int) -> tuple[bytes, NDArray[np.uint8]]:
    """A lossless file and its pixels, uint8 [height, width, 3]."""
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return _file(Image.fromarray(values)), values


def _shapes(rng: np.random.Generator, width: int, height: int, *, is_grey: bool) -> Image.Image:
    """A few random colours, interpolated smoothly."""
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)).resize((width, height))
    return coarse.convert("L") if is_grey else coarse


def _file(image: Image.Image) -> bytes:
    stream = BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()
