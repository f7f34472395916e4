"""Pictures as the files that go over the wire."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from regard.errors import MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# A path, the bytes of a JPEG, PNG or WebP file, a Pillow image, or an array of pixels.
# (`|` takes no name in quotes, and Pillow's must be in quotes: Pillow need not be installed.)
ImageLike: TypeAlias = Union[str, PathLike[str], bytes, "PillowImage", NDArray[np.uint8]]


def read_image(image: ImageLike) -> bytes:
    """The bytes of a picture's file, from a path, from these bytes themselves, from a Pillow image, or from pixels.

    Args:
        image: an array is uint8 [height, width, 3], or [height, width] for grey.

    Raises:
        TypeError: it is none of these.
        ValueError: an array has another shape or type.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str | PathLike):
        return Path(image).read_bytes()
    if isinstance(image, np.ndarray):
        return _png_file(_from_pixels(image))
    if not hasattr(image, "getexif"):
        kinds = "a path, the bytes of a file, a Pillow image or a NumPy array"
        raise TypeError(f"a picture must be {kinds}; it is a {type(image).__name__}")
    return _png_file(image)


def _from_pixels(pixels: NDArray[np.uint8]) -> "PillowImage":
    try:
        from PIL import Image
    except ModuleNotFoundError as error:  # pragma: no cover, the tests have it
        raise MissingExtra("sending pixels", "plot", error.name) from None
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        expected = "uint8 [height, width, 3], or [height, width] for grey"
        raise ValueError(f"pixels must be {expected}; they are {pixels.dtype} {list(pixels.shape)}")
    return Image.fromarray(pixels)


def _png_file(image: "PillowImage") -> bytes:
    """A Pillow image as a PNG, upright: a PNG does not keep the EXIF orientation of the original file."""
    from io import BytesIO

    from PIL import ImageOps

    file = BytesIO()
    ImageOps.exif_transpose(image).save(file, format="PNG")
    return file.getvalue()
