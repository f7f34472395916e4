"""Pictures as the files that go over the wire."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# A path, the bytes of a JPEG, PNG or WebP file, or a Pillow image.
# (`|` takes no name in quotes, and Pillow's must be in quotes: Pillow need not be installed.)
ImageLike: TypeAlias = Union[str, PathLike[str], bytes, "PillowImage"]


def read_image(image: ImageLike) -> bytes:
    """The bytes of a picture's file, from a path, from these bytes themselves, or from a Pillow image."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | PathLike):
        return Path(image).read_bytes()
    return _png_file(image)


def _png_file(image: "PillowImage") -> bytes:
    """A Pillow image as a PNG, upright: a PNG does not keep the EXIF orientation of the original file."""
    from io import BytesIO

    from PIL import ImageOps

    file = BytesIO()
    ImageOps.exif_transpose(image).save(file, format="PNG")
    return file.getvalue()
