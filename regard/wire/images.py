"""Pictures as the files that go over the wire."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, Union, cast

import numpy as np
from numpy.typing import NDArray

from regard.errors import MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# A path, an open file, the bytes of a JPEG, PNG or WebP file, a Pillow image, or an array of pixels.
# (`|` takes no name in quotes, and Pillow's must be in quotes: Pillow need not be installed.)
ImageLike: TypeAlias = Union[str, PathLike[str], bytes, BinaryIO, "PillowImage", NDArray[np.uint8]]

_PIXELS = "uint8 [height, width, 3], [height, width, 4] with transparency, or [height, width] for grey"
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})  # of Pillow's images, in which PNG keeps them


def read_image(image: ImageLike) -> bytes:
    """The bytes of a picture's file, from a path, from an open file, from these bytes themselves, from a Pillow image,
    or from pixels.

    Args:
        image: an array is uint8 [height, width, 3], [height, width, 4] with transparency, or [height, width] for grey.

    Raises:
        TypeError: it is none of these.
        ValueError: an array has another shape or type; a Pillow image has numbers that are no colours; it is an
            address.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str | PathLike):
        return _read_file(image)
    if isinstance(image, np.ndarray):
        return _png_file(_from_pixels(image))
    if hasattr(image, "getexif"):
        return _png_file(cast("PillowImage", image))
    content = image.read() if hasattr(image, "read") else None
    if not isinstance(content, bytes):
        kinds = "a path, a file opened in binary mode, the bytes of a file, a Pillow image or a NumPy array"
        raise TypeError(f"a picture must be {kinds}; it is of type {type(image).__name__}")
    return content


def _read_file(path: str | PathLike[str]) -> bytes:
    if isinstance(path, str) and path[:8].lower().startswith(("http://", "https://", "data:")):
        raise ValueError(f"a picture must be a path, or bytes; {path[:60]!r} is an address, which is not fetched")
    return Path(path).read_bytes()


def _from_pixels(pixels: NDArray[np.uint8]) -> "PillowImage":
    try:
        from PIL import Image
    except ModuleNotFoundError as error:  # pragma: no cover, the tests have it
        raise MissingExtra("sending pixels", "plot", error.name) from None
    is_shape = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if pixels.dtype != np.uint8 or not is_shape or not pixels.size:
        raise ValueError(f"pixels must be {_PIXELS}; they are {pixels.dtype} {list(pixels.shape)}")
    return Image.fromarray(pixels)


def _png_file(image: "PillowImage") -> bytes:
    """A Pillow image as a PNG, upright: a PNG does not keep the EXIF orientation of the original file."""
    from io import BytesIO

    from PIL import ImageOps

    if image.mode in ("F", "I"):
        raise ValueError(f"a Pillow image of mode {image.mode!r} has no range of brightness: convert it to 'RGB'")
    if not image.width or not image.height:
        raise ValueError(f"a picture must have pixels; it is {image.width} x {image.height}")
    upright = ImageOps.exif_transpose(image)
    file = BytesIO()
    (upright if upright.mode in _PNG_MODES else upright.convert("RGB")).save(file, format="PNG")
    return file.getvalue()
